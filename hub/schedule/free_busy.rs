//! When other twins are busy, for one who asks through an outbox (RFC 6638 §5). Every twin of this
//! hub may ask, unless who is asked about wants it otherwise (`access.rs`); what others do, and where, is not
//! told.

use bytes::Bytes;
use hub_ical::free_busy;
use hub_itip::{CalendarUser, FreeBusyRequest};

use crate::{Account, AccountId, Address, Error, Result, Route, unix_now};

/// Calendar users of one question.
const MOST_ASKED: usize = 100;
/// Seconds of one question.
const MOST_TIME: i64 = 400 * hub_civil::SECONDS_A_DAY;

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreeBusyOutcome {
    Answered(Vec<RecipientBusy>),
    /// `CALDAV:organizer-allowed`: somebody else's name is in it (RFC 6638 §5.2.3).
    NotOwn,
    /// `CALDAV:valid-calendar-data`; why.
    NotUnderstood(String),
}

/// The answer for one calendar user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientBusy {
    /// As a URI.
    pub recipient: String,
    /// `REQUEST-STATUS` (RFC 5546 §3.6).
    pub status: &'static str,
    /// A `VFREEBUSY` with `METHOD:REPLY`, if it was asked for.
    pub object: Option<String>,
}

impl Account {
    /// Answers a `VFREEBUSY` with `METHOD:REQUEST`: those who are asked about in their order. `Limit`.
    pub(super) async fn when_busy(&self, request: Bytes) -> Result<FreeBusyOutcome> {
        let request = match FreeBusyRequest::parse(&request) {
            Ok(request) => request,
            Err(error) => return Ok(FreeBusyOutcome::NotUnderstood(error.to_string())),
        };
        let organizer = &request.organizer;
        if !self.hub.owner(self.id, &[organizer.as_str().as_bytes()]).await?.has(organizer) {
            return Ok(FreeBusyOutcome::NotOwn);
        }
        if request.attendees.len() > MOST_ASKED {
            return Err(Error::Limit("calendar users of one question"));
        }
        if request.to.saturating_sub(request.from) > MOST_TIME {
            return Err(Error::Limit("time of one question"));
        }
        let mut answers = Vec::with_capacity(request.attendees.len());
        for (who, line) in &request.attendees {
            answers.push(self.busy_of(&request, who, line).await?);
        }
        Ok(FreeBusyOutcome::Answered(answers))
    }

    async fn busy_of(
        &self,
        request: &FreeBusyRequest,
        who: &CalendarUser,
        line: &str,
    ) -> Result<RecipientBusy> {
        let recipient = who.uri();
        let route = match who.mail().map(Address::parse) {
            Some(Ok(address)) => self.hub.route(&address).await?,
            _ => Route::Unknown,
        };
        let account = match route {
            Route::Elsewhere => {
                return Ok(RecipientBusy { recipient, status: "5.2;Cannot be asked", object: None });
            }
            Route::Local(members) if members.accounts.len() == 1 && members.elsewhere.is_empty() => {
                members.accounts[0]
            }
            Route::Local(_) | Route::Unknown => {
                return Ok(RecipientBusy { recipient, status: "3.7;Invalid calendar user", object: None });
            }
        };
        if !self.may_ask(account).await? {
            return Ok(RecipientBusy { recipient, status: "3.8;No authority", object: None });
        }
        match self.busy_object(request, account, line).await {
            Ok(object) => Ok(RecipientBusy { recipient, status: "2.0;Success", object: Some(object) }),
            // The others can still be answered for.
            Err(Error::Limit(_)) => {
                Ok(RecipientBusy { recipient, status: "5.1;Busy too often; ask for less time", object: None })
            }
            Err(error) => Err(error),
        }
    }

    async fn busy_object(&self, request: &FreeBusyRequest, account: AccountId, line: &str) -> Result<String> {
        let collections = self.hub.calendars_of(account);
        let mut calendars = collections.list().await?;
        calendars.retain(|calendar| !calendar.facts.is_transparent);
        let owner = self.hub.uris_of(account).await?;
        let (from, to) = (request.from, request.to);
        let busy = collections.busy(&calendars, &owner, from, to).await?;
        let lines: Vec<String> = request.head.iter().cloned().chain([line.to_owned()]).collect();
        Ok(free_busy((from, to), unix_now(), &busy, &["METHOD:REPLY".to_owned()], &lines))
    }
}
