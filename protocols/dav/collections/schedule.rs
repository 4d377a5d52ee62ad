//! Scheduling (RFC 6638): its header fields, its conditions, and the outbox.

use hub::collections::{CollectionKind, Item, Placed, PutOutcome};
use hub::itip;
use hub::schedule::{FreeBusyOutcome, NotAllowed, RecipientBusy, ScheduleOutcome, ScheduleRequest};
use hyper::StatusCode;
use hyper::header::{self, HeaderName};

use super::{Target, put};
use crate::path::Within;
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{CALDAV, Xml};
use crate::{Call, head};

/// What a client says about a change (RFC 6638 §8.1, §8.3).
pub(super) fn request(call: &Call, preconditions: Vec<hub::Precondition>) -> ScheduleRequest {
    let headers = &call.head.headers;
    let tag = head::named(headers, "if-schedule-tag-match").map(|tag| tag.trim_matches('"').to_owned());
    let is_silent =
        head::named(headers, "schedule-reply").is_some_and(|reply| reply.eq_ignore_ascii_case("F"));
    ScheduleRequest { preconditions, tag, is_silent }
}

/// RFC 6638 §8.2
pub(super) fn set_tag(reply: &mut Reply, item: &Item) {
    if let Some(tag) = &item.schedule_tag {
        reply::set_text(reply, HeaderName::from_static("schedule-tag"), &format!("\"{tag}\""));
    }
}

pub(super) fn answer(
    call: &Call,
    kind: CollectionKind,
    collection: &str,
    outcome: hub::Result<ScheduleOutcome>,
) -> Result<Reply, Refusal> {
    let (placed, is_as_sent) = match placed(call, kind, collection, outcome)? {
        Ok(placed) => placed,
        Err(refused) => return Ok(refused),
    };
    let mut reply = put::stored(&placed);
    if !is_as_sent {
        // RFC 4791 §5.3.4: what the client has is not what is kept.
        reply.headers_mut().remove(header::ETAG);
        reply.headers_mut().remove(header::LAST_MODIFIED);
    }
    Ok(reply)
}

/// What was stored and whether as it was sent, or the condition that it does not fulfil (RFC 6638 §3.2.4).
pub(super) fn placed(
    call: &Call,
    kind: CollectionKind,
    collection: &str,
    outcome: hub::Result<ScheduleOutcome>,
) -> Result<Result<(Placed, bool), Reply>, Refusal> {
    let (put, is_as_sent) = match outcome {
        Ok(ScheduleOutcome::NotAllowed(why)) => return Ok(Err(not_allowed(call, &why))),
        Ok(ScheduleOutcome::Refused(refused)) => (Ok(PutOutcome::Refused(refused)), false),
        Ok(ScheduleOutcome::Stored { placed, is_as_sent }) => (Ok(PutOutcome::Stored(placed)), is_as_sent),
        Err(error) => (Err(error), false),
    };
    Ok(put::outcome(call, kind, collection, put)?.map(|placed| (placed, is_as_sent)))
}

fn not_allowed(call: &Call, why: &NotAllowed) -> Reply {
    let (condition, href) = match why {
        NotAllowed::Taken(calendar, name) => (
            "unique-scheduling-object-resource",
            Some(call.location.href(&format!("{calendar}/{name}"), false)),
        ),
        NotAllowed::Itip(itip::Error::AttendeeChange(_)) => {
            ("allowed-attendee-scheduling-object-change", None)
        }
        NotAllowed::Itip(itip::Error::DifferentOrganizers) => ("same-organizer-in-all-components", None),
        NotAllowed::Itip(itip::Error::OrganizerChange) => {
            ("allowed-organizer-scheduling-object-change", None)
        }
        NotAllowed::Itip(itip::Error::NotCalendar(_)) => ("valid-calendar-data", None),
        // RFC 4791 §5.2.9
        NotAllowed::Itip(itip::Error::TooMany("attendees")) => ("max-attendees-per-instance", None),
        NotAllowed::Itip(itip::Error::TooMany(_)) => ("max-instances", None),
    };
    let text = match why {
        NotAllowed::Itip(error) => error.to_string(),
        NotAllowed::Taken(..) => "This is in another calendar already.".to_owned(),
    };
    reply::explained(StatusCode::FORBIDDEN, CALDAV, condition, &text, href.as_deref())
}

/// RFC 6638 §5: when others are busy; beyond it, counter-proposals and what else only people can say.
pub(super) async fn post(call: &mut Call, target: &Target) -> Result<Reply, Refusal> {
    if target.at != Within::Collection("outbox".to_owned()) {
        return Err(call.method_not_allowed());
    }
    let request = put::object(call, target.kind).await?;
    match call.account.post_to_outbox(request).await? {
        FreeBusyOutcome::Answered(answers) => Ok(reply::xml(StatusCode::OK, answered(&answers))),
        FreeBusyOutcome::NotOwn => Err(Refusal::Of(StatusCode::FORBIDDEN, CALDAV, "organizer-allowed")),
        FreeBusyOutcome::NotUnderstood(why) => {
            let condition = "valid-scheduling-message";
            Ok(reply::explained(StatusCode::FORBIDDEN, CALDAV, condition, &why, None))
        }
    }
}

/// `<!ELEMENT schedule-response (response*)>`,
/// `<!ELEMENT response (recipient, request-status, calendar-data?, …)>` (RFC 6638 §10)
fn answered(answers: &[RecipientBusy]) -> String {
    Xml::document_of(CALDAV, "schedule-response", |xml| {
        for answer in answers {
            xml.element_of(CALDAV, "response", |xml| {
                xml.element_of(CALDAV, "recipient", |xml| xml.leaf("href", &answer.recipient));
                xml.element_of(CALDAV, "request-status", |xml| xml.text(answer.status));
                if let Some(object) = &answer.object {
                    xml.element_of(CALDAV, "calendar-data", |xml| xml.text(object));
                }
            });
        }
    })
}
