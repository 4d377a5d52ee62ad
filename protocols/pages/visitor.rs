//! Who asks, and which files they have come to.

use hub::files::{FilePath, Files, Granted, Reached, Shares};
use hub::{Account, Address, Door, Error, Secret};
use hub_wire::http_login::attempt;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use crate::html::{Page, escape};
use crate::sessions::{self, cookie, set_cookie};
use crate::status::Refusal;
use crate::target::{Root, href};
use crate::{Call, Reply, Service, form, show};

/// Bytes of a form that logs in.
const MAX_FORM: usize = 16 << 10;

pub(crate) enum Visitor {
    Known(Box<Spot>),
    /// Is asked for a password, or has just told or taken back one.
    Stranger(Reply),
}

/// What somebody has come to.
pub(crate) struct Spot {
    pub(crate) place: Place,
    /// The URL that the path is below, with a slash at the end.
    pub(crate) base: String,
    /// The twin that has logged in; `None` for whoever comes by a link.
    pub(crate) account: Option<Account>,
}

pub(crate) enum Place {
    Files {
        files: Files,
        path: FilePath,
        granted: Option<Box<Granted>>,
    },
    /// The folder of what others share, or of one owner's part of it.
    Shares(Shares, Option<Address>),
}

impl Spot {
    /// The files, and the path in them.
    pub(crate) fn files(&self) -> Result<(&Files, &FilePath), Refusal> {
        match &self.place {
            Place::Files { files, path, .. } => Ok((files, path)),
            Place::Shares(..) => Err(Refusal::Status(
                StatusCode::FORBIDDEN,
                "Nothing was done",
                "This folder only shows what others share with you.",
            )),
        }
    }

    /// True for the twin's own files, which have a trash and can be shared.
    pub(crate) fn is_own(&self) -> bool {
        self.account.is_some() && matches!(&self.place, Place::Files { granted: None, .. })
    }

    pub(crate) fn href(&self, path: &FilePath, is_folder: bool) -> String {
        href(&self.base, &path.to_string(), is_folder)
    }
}

pub(crate) async fn find(service: &Service, call: &mut Call) -> Result<Visitor, Refusal> {
    match call.target.root.clone() {
        Root::Own => own(service, call).await,
        Root::Link(token) => link(service, call, &token).await,
    }
}

async fn own(service: &Service, call: &mut Call) -> Result<Visitor, Refusal> {
    if !call.client.may_authenticate {
        return Err(Refusal::Status(
            StatusCode::FORBIDDEN,
            "Not over this connection",
            "Whoever listens on the way could read your password. Open this page with https:// in front.",
        ));
    }
    let session = cookie(&call.head.headers, sessions::OWN).map(str::to_owned);
    match call.target.parameter("do") {
        Some("login") if call.head.method == hyper::Method::POST => {
            return log_in(service, call).await.map(Visitor::Stranger);
        }
        Some("logout") if call.head.method == hyper::Method::POST => {
            session.iter().for_each(|token| service.sessions.end(token));
            return Ok(Visitor::Stranger(entered("/files/", sessions::OWN, "", "/files")));
        }
        _ => {}
    }
    let known = session.and_then(|token| Some((service.sessions.find(&token)?, token)));
    let Some(((name, secret), token)) = known else { return Ok(Visitor::Stranger(ask_log_in(call, false))) };
    let account = match service.hub.login(&name, &secret, Door::Dav).await {
        Ok(account) => account,
        Err(Error::BadCredentials) => {
            service.sessions.end(&token);
            return Ok(Visitor::Stranger(ask_log_in(call, false)));
        }
        Err(error) => return Err(error.into()),
    };
    let top = call.target.top();
    let (place, base) = match account.reach(&call.target.path).await? {
        Reached::Own(files) => (Place::Files { files, path: call.target.path.clone(), granted: None }, top),
        Reached::Granted { granted, files, at, rest } => {
            let base = href(&top, &at.to_string(), true);
            (Place::Files { files, path: rest, granted: Some(granted) }, base)
        }
        Reached::Shares(shares, owner) => (Place::Shares(shares, owner), top),
    };
    Ok(Visitor::Known(Box::new(Spot { place, base, account: Some(account) })))
}

/// Guessing is slowed down as at every other door.
async fn log_in(service: &Service, call: &mut Call) -> Result<Reply, Refusal> {
    let fields = form::read(&mut call.body, MAX_FORM).await?;
    let (name, secret) = (fields.get("name").trim(), Secret::new(fields.get("password")));
    let check = service.hub.login(name, &secret, Door::Dav);
    match attempt(&service.delays, call.client, name, is_wrong, check).await {
        Ok(_) => {
            let token = service.sessions.begin(name, &secret)?;
            Ok(entered(&call.target.href(), sessions::OWN, &token, "/files"))
        }
        Err(Error::BadCredentials) => Ok(ask_log_in(call, true)),
        Err(error) => Err(error.into()),
    }
}

fn is_wrong(error: &Error) -> bool {
    matches!(error, Error::BadCredentials)
}

async fn link(service: &Service, call: &mut Call, token: &str) -> Result<Visitor, Refusal> {
    let is_told = call.target.parameter("do") == Some("open") && call.head.method == hyper::Method::POST;
    if is_told {
        return tell(service, call, token).await.map(Visitor::Stranger);
    }
    let known = cookie(&call.head.headers, sessions::LINK).and_then(|cookie| service.sessions.find(cookie));
    let secret = known.filter(|(name, _)| name == token).map(|(_, secret)| secret);
    match service.hub.open_link(token, secret.as_ref()).await {
        Ok(files) => {
            let place = Place::Files { files, path: call.target.path.clone(), granted: None };
            Ok(Visitor::Known(Box::new(Spot { place, base: call.target.top(), account: None })))
        }
        Err(Error::BadCredentials) => Ok(Visitor::Stranger(ask_password(call, false))),
        Err(Error::NotFound(_)) => Err(Refusal::Status(
            StatusCode::NOT_FOUND,
            "This link leads nowhere",
            "It has ended or was taken back, or a part of the address is missing. Ask whoever sent it to you.",
        )),
        Err(error) => Err(error.into()),
    }
}

async fn tell(service: &Service, call: &mut Call, token: &str) -> Result<Reply, Refusal> {
    if !call.client.may_authenticate {
        return Err(Refusal::Status(
            StatusCode::FORBIDDEN,
            "Not over this connection",
            "Whoever listens on the way could read the password. Open this page with https:// in front.",
        ));
    }
    let fields = form::read(&mut call.body, MAX_FORM).await?;
    let secret = Secret::new(fields.get("password"));
    let check = service.hub.open_link(token, Some(&secret));
    match attempt(&service.delays, call.client, &format!("link {token}"), is_wrong, check).await {
        Ok(_) => {
            let cookie = service.sessions.begin(token, &secret)?;
            let top = call.target.top();
            Ok(entered(&call.target.href(), sessions::LINK, &cookie, top.trim_end_matches('/')))
        }
        Err(Error::BadCredentials) => Ok(ask_password(call, true)),
        Err(error) => Err(error.into()),
    }
}

/// Goes on with a cookie, or without the one that there was.
fn entered(target: &str, name: &str, value: &str, path: &str) -> Reply {
    let mut reply = show::redirect(target);
    if let Ok(field) = HeaderValue::from_str(&set_cookie(name, value, path)) {
        reply.headers_mut().insert(header::SET_COOKIE, field);
    }
    reply
}

fn ask_log_in(call: &Call, is_wrong: bool) -> Reply {
    let mut page = Page::new("Log in");
    if is_wrong {
        page.raw(
            "<p class=\"error\" role=\"alert\">The address or the password is wrong. Please try again.</p>",
        );
    }
    let action = escape(&call.target.href());
    page.raw(&format!(
        "<form class=\"stack\" method=\"post\" action=\"{action}?do=login\">\
         <label>Address <input name=\"name\" type=\"email\" autocomplete=\"username\" required></label>\
         <label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\
         <button>Log in</button></form>\
         <p>Your password, or an app password for files.</p>"
    ));
    let status = if is_wrong { StatusCode::FORBIDDEN } else { StatusCode::OK };
    page.reply(status)
}

fn ask_password(call: &Call, is_wrong: bool) -> Reply {
    let mut page = Page::new("A password, please");
    if is_wrong {
        page.raw("<p class=\"error\" role=\"alert\">That is not the password. Please try again.</p>");
    }
    let action = escape(&call.target.href());
    page.raw(&format!(
        "<p>Whoever sent you this link has protected it.</p>\
         <form class=\"stack\" method=\"post\" action=\"{action}?do=open\">\
         <label>Password <input name=\"password\" type=\"password\" autocomplete=\"off\" required></label>\
         <button>Open</button></form>"
    ));
    let status = if is_wrong { StatusCode::FORBIDDEN } else { StatusCode::OK };
    page.reply(status)
}
