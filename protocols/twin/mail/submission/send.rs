//! A submission that is to be made (RFC 8621 §7.5): envelope, checks, and the message without Bcc.

use hub::emails::Email;
use hub::{Address, EmailId, Error, Incoming, Notify, Return, SentAs, Submission, SubmissionRecipient};
use hub_mime::{addresses_form, header_fields, named_fields};
use serde_json::{Value, json};

use crate::blob::{self, Blob};
use crate::context::Context;
use crate::core::error::{SetError, SetErrorKind, SetResult};
use crate::core::references;
use crate::core::set::{Object, check_names};
use crate::ids::{self, BlobId};
use crate::mail::{dates, identity};

/// Recipients of one message at most, as on the submission port.
const MAX_RECIPIENTS: usize = 1_000;
/// The header of a message to be sent is looked at as a whole.
const MAX_HEADER: u64 = 4 << 20;

pub(super) async fn create(context: &Context, object: &Object) -> SetResult<Object> {
    check_names(object, |name| ["identityId", "emailId", "envelope"].contains(&name))?;
    let identity = identity_of(context, object).await?;
    let email = email_of(context, object).await?;
    let blob_id = BlobId::email(email.id);
    let message = blob::open_message(&context.account, &blob_id).await?;
    let top = message.parts.first().ok_or(SetErrorKind::InvalidEmail)?;
    if top.body_start > MAX_HEADER {
        return Err(SetErrorKind::InvalidEmail.into());
    }
    let header = message.blob.read(0..top.body_start).await?;
    let envelope = match object.get("envelope").filter(|value| !value.is_null()) {
        Some(value) => Envelope::read(value)?,
        None => Envelope::of_header(context, &header, &identity.email).await?,
    };
    check_header(&header)?;
    let incoming = without_bcc(context, &message.blob, &header, top.body_start).await?;
    let submission = envelope.submission(incoming)?;
    let sent_as = SentAs { identity: identity.id, email: email.id, thread: email.thread };
    let sent = context.account.send(sent_as, submission).await;
    let number = sent.map_err(about_sending)?;
    let made = json!({
        "id": super::id(number),
        "threadId": ids::thread(email.thread),
        "sendAt": dates::utc(crate::clock::unix_now()),
        "undoStatus": "pending",
    });
    let mut made = made.as_object().cloned().unwrap_or_default();
    // Whether it can be called back depends on where it went.
    if let Some(known) = context.account.sent().await?.into_iter().find(|one| one.id == number) {
        made.insert("undoStatus".into(), super::undo_status(known.undo).into());
        made.insert("sendAt".into(), dates::utc(known.sent_at).into());
    }
    Ok(made)
}

fn about_sending(error: Error) -> SetError {
    match error {
        Error::Forbidden(why) if why.contains("envelope") => {
            SetError::new(SetErrorKind::ForbiddenMailFrom, why)
        }
        Error::Forbidden(why) => SetError::new(SetErrorKind::ForbiddenFrom, why),
        Error::Invalid(why) if why.starts_with("nobody here") => {
            let address = why.rsplit(' ').next().unwrap_or_default().to_owned();
            SetError::new(SetErrorKind::InvalidRecipients, why).with("invalidRecipients", json!([address]))
        }
        Error::Invalid(why) => {
            SetError::new(SetErrorKind::InvalidEmail, why).with("properties", json!(["from"]))
        }
        other => other.into(),
    }
}

async fn identity_of(context: &Context, object: &Object) -> SetResult<hub::Identity> {
    let wrong = || SetError::property("identityId", "is the id of no identity");
    let id = object.get("identityId").and_then(Value::as_str).ok_or_else(wrong)?;
    let id = references::created(id, &context.created).and_then(identity::parse_id).ok_or_else(wrong)?;
    let known = context.account.identities().await?;
    known.into_iter().find(|identity| identity.id == id).ok_or_else(wrong)
}

async fn email_of(context: &Context, object: &Object) -> SetResult<Email> {
    let wrong = || SetError::property("emailId", "is the id of no e-mail");
    let id = object.get("emailId").and_then(Value::as_str).ok_or_else(wrong)?;
    let id: EmailId =
        references::created(id, &context.created).and_then(ids::parse_email).ok_or_else(wrong)?;
    context.account.emails().find(&[id]).await?.remove(&id).ok_or_else(wrong)
}

/// RFC 8621 §7.5: the message is checked now, a draft need not be complete.
fn check_header(header: &[u8]) -> SetResult<()> {
    let count = |name: &str| named_fields(header, name).count();
    let mut wrong = Vec::new();
    for (name, property) in
        [("From", "from"), ("Date", "sentAt"), ("Message-ID", "messageId"), ("Subject", "subject")]
    {
        if count(name) > 1 {
            wrong.push(property);
        }
    }
    if count("From") == 0 || named_fields(header, "From").all(|raw| addresses_form(raw).is_empty()) {
        wrong.push("from");
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(SetError::new(SetErrorKind::InvalidEmail, "").with("properties", json!(wrong))),
    }
}

/// The message as it leaves: nobody is told of blind copies (RFC 5322 §3.6.3).
async fn without_bcc(
    context: &Context,
    message: &Blob,
    header: &[u8],
    body_start: u64,
) -> SetResult<Incoming> {
    let mut spool = context.account.hub().spool();
    let kept = header_fields(header, &["Bcc"], true);
    spool.write(&kept).await.map_err(Error::from)?;
    let mut rest = body_start..message.size();
    while let Some(piece) = message.next(&mut rest).await? {
        spool.write(&piece).await.map_err(Error::from)?;
    }
    Ok(context.account.hub().examine(spool).await?)
}

struct Envelope {
    mail_from: Sender,
    recipients: Vec<Recipient>,
}

#[derive(Default)]
struct Sender {
    /// Empty for the null reverse-path.
    email: String,
    ret: Return,
    envelope_id: Option<String>,
}

struct Recipient {
    email: String,
    notify: Notify,
    original: Option<String>,
}

impl Envelope {
    fn read(value: &Value) -> SetResult<Self> {
        let wrong = |why: &str| SetError::property("envelope", why);
        let object = value.as_object().ok_or_else(|| wrong("is not an object"))?;
        let sender = object.get("mailFrom").ok_or_else(|| wrong("has no mailFrom"))?;
        let recipients =
            object.get("rcptTo").and_then(Value::as_array).ok_or_else(|| wrong("has no rcptTo"))?;
        let mut mail_from = Sender { email: email(sender)?, ..Sender::default() };
        for (name, value) in parameters(sender)? {
            match (name.as_str(), value) {
                ("RET", Some(value)) if value.eq_ignore_ascii_case("FULL") => mail_from.ret = Return::Full,
                ("RET", Some(value)) if value.eq_ignore_ascii_case("HDRS") => mail_from.ret = Return::Headers,
                ("ENVID", Some(value)) => mail_from.envelope_id = Some(xtext(value)),
                // What follows from the message is found out again.
                ("SIZE" | "BODY" | "SMTPUTF8", _) => {}
                _ => return Err(wrong("has a parameter of mailFrom that is not known here")),
            }
        }
        let mut all = Vec::with_capacity(recipients.len());
        for one in recipients {
            let mut recipient = Recipient { email: email(one)?, notify: Notify::default(), original: None };
            for (name, value) in parameters(one)? {
                match (name.as_str(), value) {
                    ("NOTIFY", Some(value)) => {
                        recipient.notify = notify(value).ok_or_else(|| wrong("has a NOTIFY that is none"))?;
                    }
                    ("ORCPT", Some(value)) => recipient.original = Some(value.to_owned()),
                    _ => return Err(wrong("has a parameter of rcptTo that is not known here")),
                }
            }
            all.push(recipient);
        }
        Ok(Self { mail_from, recipients: all })
    }

    /// RFC 8621 §7: from the last Sender or From, to everybody named.
    async fn of_header(context: &Context, header: &[u8], identity: &str) -> SetResult<Self> {
        let last = |name: &str| named_fields(header, name).next_back().map(addresses_form);
        let senders = last("Sender").or_else(|| last("From")).unwrap_or_default();
        let found = senders.into_iter().next().map(|address| address.email);
        let may = match found.as_deref().map(Address::parse) {
            Some(Ok(address)) => context.account.may_send_as(&address).await?,
            _ => false,
        };
        let mail_from = found.filter(|_| may).unwrap_or_else(|| identity.to_owned());
        let mut recipients: Vec<Recipient> = Vec::new();
        for raw in ["To", "Cc", "Bcc"].iter().flat_map(|name| named_fields(header, name)) {
            for address in addresses_form(raw) {
                if !recipients.iter().any(|known| known.email.eq_ignore_ascii_case(&address.email)) {
                    recipients.push(Recipient {
                        email: address.email,
                        notify: Notify::default(),
                        original: None,
                    });
                }
            }
        }
        Ok(Self { mail_from: Sender { email: mail_from, ..Sender::default() }, recipients })
    }

    fn submission(self, incoming: Incoming) -> SetResult<Submission> {
        if self.recipients.is_empty() {
            return Err(SetErrorKind::NoRecipients.into());
        }
        if self.recipients.len() > MAX_RECIPIENTS {
            let error = SetError::new(SetErrorKind::TooManyRecipients, "");
            return Err(error.with("maxRecipients", json!(MAX_RECIPIENTS)));
        }
        let mut recipients = Vec::with_capacity(self.recipients.len());
        let mut invalid = Vec::new();
        for recipient in self.recipients {
            match Address::parse(&recipient.email) {
                Ok(address) => recipients.push(SubmissionRecipient {
                    address,
                    notify: recipient.notify,
                    original: recipient.original,
                }),
                Err(_) => invalid.push(recipient.email),
            }
        }
        if !invalid.is_empty() {
            let error = SetError::new(SetErrorKind::InvalidRecipients, "");
            return Err(error.with("invalidRecipients", json!(invalid)));
        }
        let reverse_path = match self.mail_from.email.as_str() {
            "" => None,
            email => Some(Address::parse(email).map_err(|_| SetErrorKind::ForbiddenMailFrom)?),
        };
        let is_ascii = |address: &Address| address.to_string().is_ascii();
        let smtputf8 = !recipients.iter().all(|to| is_ascii(&to.address))
            || !reverse_path.as_ref().is_none_or(is_ascii)
            || !incoming.header().is_ok_and(|header| header.is_ascii());
        let eight_bit = incoming.body().any(|piece| piece.is_ok_and(|piece| !piece.is_ascii()));
        Ok(Submission {
            incoming,
            reverse_path,
            recipients,
            trace: Vec::new(),
            ret: self.mail_from.ret,
            envelope_id: self.mail_from.envelope_id,
            smtputf8,
            eight_bit: eight_bit || smtputf8,
            require_tls: false,
        })
    }
}

fn email(value: &Value) -> SetResult<String> {
    let email = value.get("email").and_then(Value::as_str);
    email.map(str::to_owned).ok_or_else(|| SetError::property("envelope", "has an address without email"))
}

/// Names in upper case.
fn parameters(value: &Value) -> SetResult<Vec<(String, Option<&str>)>> {
    let wrong = || SetError::property("envelope", "has parameters of the wrong type");
    let object = match value.get("parameters") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => value.as_object().ok_or_else(wrong)?,
    };
    let one = |(name, value): (&String, &'_ Value)| match value {
        Value::Null => Some((name.to_ascii_uppercase(), None)),
        _ => None,
    };
    object
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => Ok((name.to_ascii_uppercase(), Some(text))),
            None => one((name, value)).ok_or_else(wrong),
        })
        .collect()
}

/// `NEVER`, or some of the others (RFC 3461 §4.1).
fn notify(value: &str) -> Option<Notify> {
    let mut notify = Notify { delay: false, failure: false, success: false };
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(notify);
    }
    for word in value.split(',') {
        match word.trim().to_ascii_uppercase().as_str() {
            "DELAY" => notify.delay = true,
            "FAILURE" => notify.failure = true,
            "SUCCESS" => notify.success = true,
            _ => return None,
        }
    }
    Some(notify)
}

/// RFC 3461 §4: what is not printable, `+` and `=` are written as `+` and two digits.
fn xtext(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            0x21..=0x7e if byte != b'+' && byte != b'=' => (byte as char).to_string(),
            byte => format!("+{byte:02X}"),
        })
        .collect()
}
