"""A session of jmaplib (strict typed models, written by people who know nothing of us) over TLS.

Arguments: host:port, address, password, file of the authority. Prints its table of what we offer."""

import sys

import httpx
from jmap.auth.credentials import BasicAuth
from jmap.client import JMAPClient
from jmap.testing.conformance import analyse

host, address, password, authority = sys.argv[1:]
http = httpx.Client(verify=authority, follow_redirects=True)
client = JMAPClient.connect(f"https://{host}/.well-known/jmap", auth=BasicAuth(address, password), http=http, experimental=True)
assert client.session.username == address

client.echo(hello=True)
call = client.call
mailboxes = call("Mailbox/get", {"ids": None})
assert call("Mailbox/query", {"sort": [{"property": "name"}], "sortAsTree": True}).ids
inbox = call("Mailbox/query", {"filter": {"role": "inbox"}}).ids[0]
found = call("Email/query", {"filter": {"inMailbox": inbox}, "calculateTotal": True, "collapseThreads": True})
emails = call("Email/get", {"ids": list(found.ids), "fetchAllBodyValues": True})
assert len(found.ids) == found.total > 0
thread = call("Email/get", {"ids": list(found.ids), "properties": ["threadId"]})
call("Thread/get", {"ids": []})
call("SearchSnippet/get", {"emailIds": list(found.ids), "filter": {"text": "before"}})
identities = call("Identity/get", {"ids": None})
call("VacationResponse/get", {"ids": None})
call("EmailSubmission/get", {"ids": None})
call("Quota/get", {"ids": None})
made = call("Mailbox/set", {"create": {"box": {"name": "jmaplib", "parentId": None}}})
moved = call("Email/set", {"update": {found.ids[0]: {"keywords/$flagged": True}}})
call("Mailbox/changes", {"sinceState": mailboxes.state})
changes = call("Email/changes", {"sinceState": emails.state})
assert list(changes.updated) == [found.ids[0]], changes
call("Email/queryChanges", {"sinceQueryState": found.query_state, "filter": {"inMailbox": inbox}})
blob = client.upload(b"Subject: uploaded\r\n\r\ntext", content_type="message/rfc822")
assert client.download(blob.blob_id, name="x.eml", content_type="message/rfc822") == b"Subject: uploaded\r\n\r\ntext"
parsed = call("Email/parse", {"blobIds": [blob.blob_id]})

book = call("AddressBook/get", {"ids": None}).items[0]
card = {"@type": "Card", "version": "1.0", "addressBookIds": {book.id: True}, "name": {"full": "Jane Doe"},
        "emails": {"e1": {"address": "jane@example.com"}}}
call("ContactCard/set", {"create": {"jane": card}})
cards = call("ContactCard/query", {"filter": {"email": "jane@example.com"}, "sort": [{"property": "updated"}]})
assert len(cards.ids) == 1, cards
state = call("ContactCard/get", {"ids": list(cards.ids)}).state
call("ContactCard/set", {"update": {cards.ids[0]: {"emails/e1/address": "jane@example.org"}}})
assert list(call("ContactCard/changes", {"sinceState": state}).updated) == list(cards.ids)
call("AddressBook/changes", {"sinceState": state})

words = client.upload(b"words", content_type="text/plain")
call("FileNode/set", {"create": {"dir": {"name": "jmaplib"}, "file": {"name": "a.txt", "parentId": "#dir", "blobId": words.blob_id}}})
nodes = call("FileNode/query", {"filter": {"nameMatch": "*.TXT"}, "sort": [{"property": "name"}]})
node = call("FileNode/get", {"ids": list(nodes.ids), "fetchParents": True})
assert len(node.items) == 2, node
call("FileNode/set", {"update": {nodes.ids[0]: {"name": "b.txt"}}})
assert list(call("FileNode/changes", {"sinceState": node.state}).updated) == list(nodes.ids)

table = analyse(client.session, client.capabilities)
print(table.markdown())
supported = {row.urn for row in table.supported}
for name in ("core", "mail", "submission", "vacationresponse", "quota", "contacts", "filenode"):
    assert f"urn:ietf:params:jmap:{name}" in supported, table.markdown()
