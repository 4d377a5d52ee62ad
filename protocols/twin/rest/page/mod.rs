//! `GET /api/v1/`: a page on which every request can be tried. It is made from the OpenAPI document, by a script of
//! ours; nothing comes from elsewhere.

use hyper::header::{self, HeaderValue};

use crate::reply::{self, Reply};

/// A file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Page,
    Script,
    Style,
}

/// Only what is of this page, and no other page around it. What an answer says is shown as text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl File {
    /// `rest` is what follows `/api/v1`.
    pub(super) fn of(rest: &str) -> Option<Self> {
        match rest {
            "" | "/" => Some(Self::Page),
            "/try.js" => Some(Self::Script),
            "/try.css" => Some(Self::Style),
            _ => None,
        }
    }
}

pub(crate) fn answer(file: File) -> Reply {
    let (media_type, content) = match file {
        File::Page => ("text/html; charset=utf-8", include_str!("try.html")),
        File::Script => ("text/javascript; charset=utf-8", include_str!("try.js")),
        File::Style => ("text/css; charset=utf-8", include_str!("try.css")),
    };
    let mut reply = reply::with_content(hyper::StatusCode::OK, media_type, content.into());
    reply::set(&mut reply, header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    reply::set(&mut reply, header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply::set(&mut reply, header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}
