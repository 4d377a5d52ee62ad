"""A session of jmapc (a JMAP library that knows nothing of us) over TLS: mailboxes, an upload, a draft
that is sent, what has changed since, and an event.

Arguments: host:port, address, password, recipient, file of a message."""

import sys
import threading

from jmapc import Client, Email, EmailAddress, EmailBodyPart, EmailBodyValue
from jmapc import EmailQueryFilterCondition, EmailSubmission, MailboxQueryFilterCondition, Ref
from jmapc.methods import (
    CoreEcho, EmailChanges, EmailGet, EmailGetResponse, EmailQuery, EmailSet, EmailSubmissionSet,
    IdentityGet, MailboxGet, MailboxQuery, ThreadGet,
)

host, address, password, recipient, message = sys.argv[1:]
client = Client.create_with_password(host, address, password)


def one(call):
    return client.request(call, raise_errors=True)


assert one(CoreEcho(data={"hello": "world"})).data == {"hello": "world"}
assert client.jmap_session.username == address

inbox, drafts = (
    one(MailboxQuery(filter=MailboxQueryFilterCondition(role=role))).ids[0] for role in ("inbox", "drafts")
)
names = {mailbox.name for mailbox in one(MailboxGet(ids=None)).data}
assert "INBOX" in names, names
state = one(EmailGet(ids=[])).state

heard = []
listener = threading.Thread(target=lambda: heard.append(next(client.events)), daemon=True)
listener.start()

blob = client.upload_blob(message)
assert blob.size > 0

identity = one(IdentityGet()).data[0]
draft = Email(
    mail_from=[EmailAddress(name="Älice", email=address)],
    to=[EmailAddress(email=recipient)],
    subject="from jmapc ü",
    keywords={"$draft": True},
    mailbox_ids={drafts: True},
    body_values={"body": EmailBodyValue(value="Hello, wörld\n")},
    text_body=[EmailBodyPart(part_id="body", type="text/plain")],
    attachments=[EmailBodyPart(blob_id=blob.id, type="message/rfc822", disposition="attachment")],
)
results = client.request(
    [
        EmailSet(create={"draft": draft}),
        EmailSubmissionSet(
            create={"send": EmailSubmission(email_id="#draft", identity_id=identity.id)},
            on_success_destroy_email=["#send"],
        ),
    ],
    raise_errors=True,
)
assert results[1].response.created["send"].id, results
changes = one(EmailChanges(since_state=state))
assert changes.created == [] and changes.has_more_changes is False, changes

listener.join(30)
assert heard and heard[0].data.changed, heard

# The newest of the inbox, its thread and all of that thread, in one request.
results = client.request(
    [
        EmailQuery(filter=EmailQueryFilterCondition(in_mailbox=inbox), limit=1),
        EmailGet(ids=Ref("/ids"), properties=["threadId"]),
        ThreadGet(ids=Ref("/list/*/threadId")),
        EmailGet(ids=Ref("/list/*/emailIds"), fetch_all_body_values=True),
    ],
    raise_errors=True,
)
found = results[-1].response
assert isinstance(found, EmailGetResponse) and found.data, results
print(found.data[0].subject)
