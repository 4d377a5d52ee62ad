//! `/rsvp/…`: where guests answer who have no calendar program. A GET, which mail programs and filters make
//! by themselves, only shows; a POST from the page answers, which ends in a redirect.

use hub::Hub;
use hub::itip::{Answer, Invitation};
use hub::schedule::RSVP;
use hub_civil::{Civil, Date, MONTHS, WEEKDAYS};
use hub_wire::http::Body;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use crate::html::{Page, escape};
use crate::status::{self, Refusal};
use crate::{Reply, form, method_not_allowed, origin, show};

/// Bytes of the form.
const FORM: usize = 1 << 10;

const CHOICES: [(&str, &str, Answer, &str); 3] = [
    ("accept", "Accept", Answer::Accepted, "You have accepted."),
    ("perhaps", "Perhaps", Answer::Tentative, "You have said that you may come."),
    ("decline", "Decline", Answer::Declined, "You have declined."),
];

/// The secret part of an address of these pages.
pub(crate) fn token(path: &str) -> Option<&str> {
    path.strip_prefix(RSVP)
}

pub(crate) async fn answer(hub: &Hub, head: &Parts, body: &mut Body, token: &str) -> Reply {
    match try_to_answer(hub, head, body, token).await {
        Ok(reply) => reply,
        Err(Refusal::Hub(hub::Error::NotFound(_))) => status::page(
            StatusCode::NOT_FOUND,
            "This invitation is not open",
            "The meeting is over or does not take place, you are not invited any more, or the address is not \
             complete. Ask who has invited you.",
            None,
        ),
        Err(refusal) => status::of(&refusal, None),
    }
}

async fn try_to_answer(hub: &Hub, head: &Parts, body: &mut Body, token: &str) -> Result<Reply, Refusal> {
    match head.method {
        Method::GET | Method::HEAD => Ok(page(token, &hub.rsvp(token).await?)),
        Method::POST => {
            origin::check(&head.uri, &head.headers)?;
            let fields = form::read(body, FORM).await?;
            let choice = CHOICES.into_iter().find(|(name, ..)| *name == fields.get("answer"));
            let (_, _, answer, _) = choice.ok_or(Refusal::Status(
                StatusCode::BAD_REQUEST,
                "Nothing was answered",
                "Go back and choose one of the answers.",
            ))?;
            hub.answer_rsvp(token, answer).await?;
            Ok(show::redirect(&format!("{RSVP}{token}")))
        }
        _ => Ok(method_not_allowed()),
    }
}

fn page(token: &str, invitation: &Invitation) -> Reply {
    let Invitation { guest, organizer, summary, location, .. } = invitation;
    let title = if summary.is_empty() { "Invitation" } else { summary };
    let mut page = Page::new(title);
    page.raw("<dl>");
    for (name, value) in [
        ("When", when(invitation).as_str()),
        ("Where", location),
        ("Invited by", organizer.as_str()),
        ("You", guest.as_str()),
    ] {
        if !value.is_empty() {
            page.raw(&format!("<dt>{name}</dt><dd>{}</dd>", escape(value)));
        }
    }
    page.raw("</dl>");
    let given = CHOICES.into_iter().find(|(_, _, answer, _)| answer.name() == invitation.status);
    let said = given.map_or("You have not answered yet.", |(_, _, _, said)| said);
    page.raw(&format!(
        "<p role=\"status\">{said}</p><form method=\"post\" action=\"{RSVP}{}\">",
        escape(token)
    ));
    for (name, label, ..) in CHOICES {
        page.raw(&format!("<button name=\"answer\" value=\"{name}\">{label}</button> "));
    }
    page.raw("</form>");
    page.reply(StatusCode::OK)
}

/// In the words of the organizer's clock.
fn when(invitation: &Invitation) -> String {
    let Some(starts) = invitation.starts else { return String::new() };
    let civil = Civil::of(starts);
    let Date { year, month, day } = civil.date;
    let month = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"");
    let mut text = format!("{}, {day} {month} {year}", WEEKDAYS.get(civil.weekday).unwrap_or(&""));
    if !invitation.is_day {
        text.push_str(&format!(", {:02}:{:02} {}", civil.hour, civil.minute, invitation.zone));
    }
    if invitation.is_series {
        text.push_str(", and again");
    }
    text.trim_end().to_owned()
}
