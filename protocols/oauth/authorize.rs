//! A browser comes from a program with a question for its twin, and goes back with a code (RFC 6749 §4.1,
//! OAuth 2.1 §4.1).

use hub::oauth::{Approval, Challenge, Client};
use hub::{Error, Scopes, Secret};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use quick_xml::escape::escape;
use url::{Host, Url};

use crate::Call;
use crate::form::{self, Form};
use crate::page::{self, Consent};
use crate::reply::{self, Reply};
use crate::sign_in::Login;

/// What a program asks for.
struct Question {
    client: Client,
    redirect_uri: String,
    state: Option<String>,
    scopes: Scopes,
    challenge: Challenge,
}

/// GET: the page with the question.
pub(crate) async fn ask(call: &Call<'_>) -> Reply {
    let Ok(form) = Form::parse(call.head.uri.query().unwrap_or_default().as_bytes()) else {
        return page::failure(StatusCode::BAD_REQUEST, form::TWICE);
    };
    match read(call, &form).await {
        Ok(question) => {
            question.page(&form, form.get("login_hint").unwrap_or_default(), None, StatusCode::OK)
        }
        Err(reply) => reply,
    }
}

/// POST: the twin's answer, with everything that the question was.
pub(crate) async fn decide(call: &Call<'_>, form: &Form) -> Reply {
    if call.is_foreign() {
        return page::failure(StatusCode::FORBIDDEN, "This form came from somewhere else.");
    }
    let question = match read(call, form).await {
        Ok(question) => question,
        Err(reply) => return reply,
    };
    if form.get("decision") != Some("allow") {
        return question.refuse(call, "access_denied", "The twin said no.");
    }
    let Login { name, password } = Login::of(form);
    match call.attempt(&name, question.approve(call, &name, &password, form)).await {
        Ok(code) => question.send_back(call, &[("code", code.expose())]),
        Err(Error::BadCredentials) => {
            let why = "That is not the address and its password. (App passwords do not work here.)";
            question.page(form, &name, Some(why), StatusCode::FORBIDDEN)
        }
        Err(Error::Forbidden(_)) => {
            question.page(form, &name, Some("Nothing was chosen."), StatusCode::BAD_REQUEST)
        }
        Err(failure) => {
            reply::note(&failure);
            question.page(form, &name, Some("Please try again later."), StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// RFC 6749 §4.1.1, §4.1.2.1: while it is not known that the address to go back to is the program's, the person
/// is told; after that the program is.
async fn read(call: &Call<'_>, form: &Form) -> Result<Question, Reply> {
    let told = |text| page::failure(StatusCode::BAD_REQUEST, text);
    let Some(id) = form.get("client_id") else {
        return Err(told("The program did not say which one it is."));
    };
    let client = match call.service.hub.oauth_client(id).await {
        Ok(client) => client,
        Err(Error::NotFound(_)) => return Err(told("The program is not registered here, or not any more.")),
        Err(failure) => return Err(reply::unavailable(&failure)),
    };
    let Some(redirect_uri) = client.redirection(form.get("redirect_uri")) else {
        return Err(told("The program wants to lead you to an address that it has not registered."));
    };
    let state = form.get("state").map(str::to_owned);
    let back = |error, text| send_back(call, &redirect_uri, state.as_deref(), &refusal(error, text));
    // Nothing is fetched from an address that a program names.
    if form.get("request").is_some() {
        return Err(back("request_not_supported", "Request objects are not taken."));
    }
    if form.get("request_uri").is_some() {
        return Err(back("request_uri_not_supported", "Request objects are not taken."));
    }
    if form.get("response_type") != Some("code") {
        return Err(back("unsupported_response_type", "Only codes are given out."));
    }
    if !matches!(form.get("response_mode"), None | Some("query")) {
        return Err(back("invalid_request", "The answer can only be in the query."));
    }
    // RFC 7636 §4.3: without a method it would be plain.
    let challenge = form.get("code_challenge").filter(|_| form.get("code_challenge_method") == Some("S256"));
    let Some(challenge) = challenge.and_then(Challenge::parse) else {
        return Err(back("invalid_request", "A code_challenge by S256 is needed."));
    };
    let scopes = form.get("scope").map_or(Scopes::NONE, Scopes::parse);
    if scopes.is_empty() {
        return Err(back("invalid_scope", "None of the scopes exists here."));
    }
    Ok(Question { client, redirect_uri, state, scopes, challenge })
}

impl Question {
    fn page(&self, form: &Form, login: &str, problem: Option<&str>, status: StatusCode) -> Reply {
        const KEPT: [&str; 8] = [
            "client_id",
            "redirect_uri",
            "response_type",
            "response_mode",
            "scope",
            "state",
            "code_challenge",
            "code_challenge_method",
        ];
        let consent = Consent {
            action: "/oauth/authorize",
            hidden: KEPT.into_iter().filter_map(|name| Some((name, form.get(name)?))).collect(),
            program: &self.client.name,
            note: destination(&self.redirect_uri),
            scopes: self.scopes,
            login,
            problem,
            leads_to: Some(form_target(&self.redirect_uri)),
        };
        consent.page(status)
    }

    async fn approve(
        &self,
        call: &Call<'_>,
        login: &str,
        password: &Secret,
        form: &Form,
    ) -> hub::Result<Secret> {
        let approval = Approval {
            client: self.client.clone(),
            scopes: Scopes::parse(&form.allowed.join(" ")).common(self.scopes),
            redirect_uri: self.redirect_uri.clone(),
            challenge: self.challenge.clone(),
        };
        call.service.hub.approve(login, password, approval).await
    }

    fn refuse(&self, call: &Call<'_>, error: &'static str, text: &'static str) -> Reply {
        self.send_back(call, &refusal(error, text))
    }

    fn send_back(&self, call: &Call<'_>, parameters: &[(&str, &str)]) -> Reply {
        send_back(call, &self.redirect_uri, self.state.as_deref(), parameters)
    }
}

/// RFC 6749 §4.1.2.1
fn refusal(error: &'static str, text: &'static str) -> [(&'static str, &'static str); 2] {
    [("error", error), ("error_description", text)]
}

/// With `state`, and with `iss`, so that a program that knows several servers is not led to take this one's
/// code to another (mix-up, RFC 9207). 303, since a 307 would take the password along (RFC 9700 §4.12).
fn send_back(call: &Call<'_>, uri: &str, state: Option<&str>, parameters: &[(&str, &str)]) -> Reply {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", &call.origin);
    let separator = if uri.contains('?') { '&' } else { '?' };
    let mut reply = reply::empty(StatusCode::SEE_OTHER);
    if let Ok(location) = HeaderValue::try_from(format!("{uri}{separator}{}", query.finish())) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    reply::set(&mut reply, header::CACHE_CONTROL, "no-store");
    reply::set(&mut reply, header::REFERRER_POLICY, "no-referrer");
    reply
}

/// Where a program's name may lie, the address does not.
fn destination(redirect_uri: &str) -> String {
    let url = Url::parse(redirect_uri).ok();
    match url.as_ref().and_then(Url::host_str) {
        Some(host) if redirect_uri.starts_with("https:") => {
            format!("It gave itself this name. You will be sent on to <b>{}</b>.", escape(host))
        }
        _ => "It is a program on this device, and gave itself this name.".to_owned(),
    }
}

/// `host-source / scheme-source` of CSP, for form-action. What it has no words for is allowed by its scheme.
fn form_target(redirect_uri: &str) -> String {
    let Ok(url) = Url::parse(redirect_uri) else { return String::new() };
    let is_plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    match url.host() {
        Some(Host::Domain(name)) if is_plain(name) && matches!(url.scheme(), "http" | "https") => {
            url.origin().ascii_serialization()
        }
        Some(Host::Ipv4(_)) if matches!(url.scheme(), "http" | "https") => url.origin().ascii_serialization(),
        _ => format!("{}:", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_forms_may_lead() {
        for (uri, expected) in [
            ("https://app.test/back?x", "https://app.test"),
            ("https://app.test:8443/", "https://app.test:8443"),
            ("http://127.0.0.1:51004/x", "http://127.0.0.1:51004"),
            ("http://[::1]:51004/x", "http:"),
            ("com.example.app:/back", "com.example.app:"),
            ("https://a;script-src/", "https:"),
        ] {
            assert_eq!(form_target(uri), expected, "{uri}");
        }
    }
}
