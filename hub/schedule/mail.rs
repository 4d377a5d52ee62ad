//! iMIP (RFC 6047): a message about a calendar as mail to somebody who is not a twin of this hub.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub_itip::{Method, Received};
use hub_storage::itip::{self, ItipKey, ItipRow};
use hub_storage::queue;

use super::carry::status;
use crate::decide::Decided;
use crate::deliver::{Delivery, Origin, Recipient};
use crate::{
    Account, AccountId, Address, Error, Hub, Notify, Result, Return, Submission, SubmissionRecipient,
    unix_now,
};

/// Octets of text in one encoded-word (RFC 2047 §2: 75 with what is around it).
const WORD: usize = 42;
/// Octets of base64 in a line (RFC 2045 §6.8).
const LINE: usize = 76;

impl Hub {
    /// Queues the mail and notes that in one commit: the sender's server answers for what becomes of it.
    pub(super) async fn mail_itip(&self, key: &ItipKey, message: &ItipRow, to: &Address) -> Result<()> {
        let read = (self.account(message.account).await?, Received::parse(&message.data));
        let (Some(account), Ok(received)) = read else {
            return self.settle_itip(key, status::NOT_DELIVERED).await;
        };
        if !self.0.itip_pace.take(message.account, unix_now()) {
            return Err(Error::Limit("mails about calendars in an hour; the rest waits"));
        }
        let from = sender(&account, &message.sender).await?;
        let page = match received.method {
            Method::Add | Method::Request => self.rsvp_url(message, &from, &key.recipient).await?,
            _ => None,
        };
        let text = written(&received, &message.data, (&from, to), page.as_deref(), unix_now());
        let mut spool = self.spool();
        spool.write(text.as_bytes()).await?;
        let submission = Submission {
            incoming: self.examine(spool).await?,
            recipients: vec![SubmissionRecipient {
                address: to.clone(),
                notify: Notify::default(),
                original: None,
            }],
            trace: Vec::new(),
            ret: Return::Headers,
            envelope_id: None,
            smtputf8: from.needs_utf8() || to.needs_utf8(),
            reverse_path: Some(from),
            eight_bit: false,
            require_tls: false,
        };
        let (decided, queued) = account.prepare(submission).await?;
        let key = key.clone();
        let send = self.0.storage.transact(decided.accounts(), move |tx| {
            Box::pin(async move {
                if !itip::settle(tx, &key, status::SENT).await? {
                    return Ok(());
                }
                decided.perform(tx).await?;
                if let Some(queued) = &queued {
                    queue::push(tx, queued).await?;
                }
                Ok(())
            })
        });
        send.await.map_err(Error::from)?;
        self.0.junk.wrote_to(message.account, std::iter::once(to));
        Ok(())
    }
}

impl Hub {
    /// What only a person can decide on, as mail to a twin of this hub; `None` if its rules want none.
    pub(super) async fn note_to(
        &self,
        message: &ItipRow,
        received: &Received,
        account: AccountId,
    ) -> Result<Option<Decided>> {
        let (Some(from), Some(to)) = (self.account(message.account).await?, self.account(account).await?)
        else {
            return Ok(None);
        };
        let from = sender(&from, &message.sender).await?;
        let text = written(received, &message.data, (&from, to.handle()), None, unix_now());
        let mut spool = self.spool();
        spool.write(text.as_bytes()).await?;
        let delivery = Delivery {
            incoming: self.examine(spool).await?,
            reverse_path: None,
            recipients: vec![Recipient { address: to.handle().clone(), members: [account].into() }],
            trace: Vec::new(),
            // It has been dealt with: the object in it counts no second time.
            origin: Origin::Hub,
            require_tls: false,
        };
        match self.decide(&delivery).await {
            Ok(decided) => Ok(Some(decided)),
            Err(Error::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The address that the twin has in the object, if it still is one of the twin's.
async fn sender(account: &Account, named: &str) -> Result<Address> {
    match Address::parse(named) {
        Ok(address) if account.may_send_as(&address).await? => Ok(address),
        _ => Ok(account.handle().clone()),
    }
}

/// RFC 6047 §2.4: text for people, the object for programs that know it, and once more as a file for those
/// that do not.
fn written(
    received: &Received,
    data: &[u8],
    (from, to): (&Address, &Address),
    page: Option<&str>,
    now: i64,
) -> String {
    let summary: String = received.summary().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let what = title(received.method, &String::from_utf8_lossy(data));
    let unique = blake3::hash(&[data, to.key().as_bytes(), &now.to_le_bytes()].concat()).to_hex();
    let id = &unique[..24];
    let (domain, date) = (from.domain(), hub_civil::rfc5322_date(now, 0));
    let subject = encoded_words(&format!("{what}: {summary}"));
    let (method, component) = (received.method, received.component());
    let (starts, comment) = (received.starts(), received.comment());
    let page = page.map(|page| format!("Answer here: {page}")).unwrap_or_default();
    let parts = [format!("{what}: {summary}"), starts, comment, page, from.to_string()];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let note = parts.join("\r\n\r\n") + "\r\n";
    let note = base64_lines(note.as_bytes());
    let object = base64_lines(data);
    format!(
        "From: <{from}>\r\n\
         To: <{to}>\r\n\
         Subject: {subject}\r\n\
         Date: {date}\r\n\
         Message-ID: <{id}.itip@{domain}>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"{id}\"\r\n\
         \r\n\
         --{id}\r\n\
         Content-Type: multipart/alternative; boundary=\"a-{id}\"\r\n\
         \r\n\
         --a-{id}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\
         \r\n\
         {note}\
         --a-{id}\r\n\
         Content-Type: text/calendar; charset=utf-8; method={method}; component={component}\r\n\
         Content-Transfer-Encoding: base64\r\n\
         \r\n\
         {object}\
         --a-{id}--\r\n\
         \r\n\
         --{id}\r\n\
         Content-Type: application/ics; name=\"invite.ics\"\r\n\
         Content-Disposition: attachment; filename=\"invite.ics\"\r\n\
         Content-Transfer-Encoding: base64\r\n\
         \r\n\
         {object}\
         --{id}--\r\n"
    )
}

fn title(method: Method, data: &str) -> &'static str {
    let answers = |status: &str| data.contains(&format!("PARTSTAT={status}"));
    match method {
        Method::Cancel => "Cancelled",
        Method::Reply if answers("ACCEPTED") => "Accepted",
        Method::Reply if answers("DECLINED") => "Declined",
        Method::Reply if answers("TENTATIVE") => "Tentative",
        Method::Counter => "Another proposal",
        Method::DeclineCounter => "Proposal declined",
        Method::Refresh | Method::Reply => "Answer",
        Method::Add | Method::Publish | Method::Request => "Invitation",
    }
}

/// `encoded-word`s (RFC 2047), if the text needs them.
pub(crate) fn encoded_words(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains("=?") && text.len() < 200 {
        return text.to_owned();
    }
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars().take(500) {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD => word.push(c),
            _ => words.push(c.into()),
        }
    }
    let words: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?b?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

pub(crate) fn base64_lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = String::with_capacity(text.len() + text.len() / LINE * 2 + 2);
    for line in text.as_bytes().chunks(LINE) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        assert_eq!(encoded_words("Invitation: a"), "Invitation: a");
        assert_eq!(encoded_words("\u{fc}"), "=?utf-8?b?w7w=?=");
        let long = encoded_words(&"\u{fc}".repeat(60));
        assert!(long.lines().all(|line| line.len() <= 76) && long.lines().count() == 3, "{long}");
    }

    #[test]
    fn rfc6047_a_mail() {
        let data = "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:1\r\nORGANIZER:mailto:o@x\r\n\
                    ATTENDEE;PARTSTAT=DECLINED:mailto:a@x\r\nSUMMARY:B\\, and\\nC\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let received = Received::parse(data.as_bytes()).expect("a message");
        let address = |text| Address::parse(text).expect("an address");
        let mail = written(&received, data.as_bytes(), (&address("a@x.org"), &address("o@x.org")), None, 0);
        for words in [
            "Subject: Declined: B, and C\r\n",
            "text/calendar; charset=utf-8; method=REPLY; component=VEVENT\r\n",
            "\r\n\r\nQkVHSU46VkNBTEVOREFS",
        ] {
            assert!(mail.contains(words), "{words:?} is not in\n{mail}");
        }
        assert!(mail.lines().all(|line| line.len() <= 78), "{mail}");
    }
}
