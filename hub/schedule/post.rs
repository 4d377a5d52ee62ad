//! What a client posts to an outbox: a question when others are busy (RFC 6638 §5), and what people say
//! about a meeting that no change of their copy can say (RFC 5546): a counter-proposal, its refusal, and
//! the wish to be told everything once more.

use bytes::Bytes;
use hub_itip::{CalendarUser, Method, Received};
use hub_storage::itip;

use super::carry::Reach;
use super::store::{GRACE, notes};
use super::{FreeBusyOutcome, RecipientBusy};
use crate::{Account, Result, unix_now};

impl Account {
    /// Answers, or passes on, what is posted to the outbox. `Limit`.
    pub async fn post_to_outbox(&self, request: Bytes) -> Result<FreeBusyOutcome> {
        let (read, request) = crate::apart(move || (Received::parse(&request), request)).await?;
        match read {
            Ok(message)
                if matches!(message.method, Method::Counter | Method::DeclineCounter | Method::Refresh) =>
            {
                self.say(message).await
            }
            _ => self.when_busy(request).await,
        }
    }

    async fn say(&self, message: Received) -> Result<FreeBusyOutcome> {
        let author = message.author();
        if !self.hub.owner(self.id, &[author.as_str().as_bytes()]).await?.has(author) {
            return Ok(FreeBusyOutcome::NotOwn);
        }
        let storage = &self.hub.0.storage;
        let found = storage.items_with_uid(self.id, message.uid()).await?;
        let rows: Vec<_> = found.iter().map(|(row, _)| row.id).collect();
        let data = storage.item_data(self.id, &rows).await?;
        let (is_known, message) =
            crate::apart(move || (data.iter().any(|(_, data)| message.is_about(data)), message.message()))
                .await?;
        if !is_known || message.recipients.is_empty() {
            let why = "there is no such event in your calendars, between these people";
            return Ok(FreeBusyOutcome::NotUnderstood(why.to_owned()));
        }
        let mut answers = Vec::with_capacity(message.recipients.len());
        for who in &message.recipients {
            answers.push(self.reached(who).await?);
        }
        let (account, messages) = (self.id, notes(vec![message]));
        let push = storage.transact([account], move |tx| {
            Box::pin(async move { itip::push(tx, account, &messages, unix_now() + GRACE).await })
        });
        self.hub.carry(&push.await?).await;
        Ok(FreeBusyOutcome::Answered(answers))
    }

    async fn reached(&self, who: &CalendarUser) -> Result<RecipientBusy> {
        let status = match self.hub.reach(who.as_str()).await? {
            Reach::Mail(_) | Reach::Twin(_) => "2.0;Success",
            Reach::Nobody => "3.7;Invalid calendar user",
        };
        Ok(RecipientBusy { recipient: who.uri(), status, object: None })
    }
}
