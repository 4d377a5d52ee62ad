//! The field Authentication-Results (RFC 8601). Pure.

use hub::{AuthResult, Verdict};

/// The field with its line end. What strangers chose is written only where it cannot be taken for
/// something else.
pub fn authentication_results(host_name: &str, verdict: &Verdict) -> String {
    format!("Authentication-Results: {host_name};\r\n\t{}\r\n", results(verdict))
}

/// `resinfo` after `resinfo`, folded.
fn results(verdict: &Verdict) -> String {
    let mut all = Vec::new();
    let dmarc = &verdict.dmarc;
    if !dmarc.domain.is_empty() || dmarc.result != AuthResult::None {
        let from = property("header.from", &dmarc.domain);
        all.push(format!("dmarc={} (p={}){from}", dmarc.result, dmarc.policy));
    }
    for signature in &verdict.dkim {
        let domain = property("header.d", &signature.domain);
        let selector = property("header.s", &signature.selector);
        all.push(format!("dkim={}{domain}{selector}", signature.result));
    }
    if verdict.dkim.is_empty() {
        all.push("dkim=none".to_owned());
    }
    let identity = if verdict.spf.of_helo { "smtp.helo" } else { "smtp.mailfrom" };
    all.push(format!("spf={}{}", verdict.spf.result, property(identity, &verdict.spf.domain)));
    // RFC 8617 §10: the address only where nothing else names the peer.
    let sealer = verdict.arc_sealer.as_deref().map(|domain| property("header.d", domain));
    all.push(format!("arc={}{}", verdict.arc, sealer.unwrap_or_default()));
    let address = property("policy.iprev", &verdict.peer.to_string());
    let name = verdict.ptr.as_deref().filter(|name| is_plain(name));
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    all.push(format!("iprev={}{address}{name}", verdict.iprev));
    all.join(";\r\n\t")
}

/// ` property=value`; RFC 8601 §2.2: the value may need quotes. Nothing, if it cannot be written.
fn property(name: &str, value: &str) -> String {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic()) {
        String::new()
    } else if is_plain(value) {
        format!(" {name}={value}")
    } else {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!(" {name}=\"{escaped}\"")
    }
}

/// A token (RFC 2045 §5.1) of bearable length.
fn is_plain(value: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"-._+~!#$%&'*^`{|}".contains(&b);
    value.len() <= 255 && value.bytes().all(token)
}

#[cfg(test)]
mod tests {
    use hub::{DkimVerdict, DmarcPolicy, DmarcVerdict, SpfVerdict};

    use super::*;

    #[test]
    fn rfc8601_a_field() {
        let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
        verdict.iprev = AuthResult::Pass;
        verdict.ptr = Some("mx.example".into());
        verdict.spf = SpfVerdict {
            result: AuthResult::Pass,
            domain: "example.com".into(),
            of_helo: false,
            aligned: true,
        };
        verdict.dkim = vec![DkimVerdict {
            result: AuthResult::Fail,
            domain: "example.com\r\nX: y".into(),
            selector: "a;b".into(),
            aligned: false,
        }];
        verdict.dmarc = DmarcVerdict {
            result: AuthResult::Pass,
            domain: "example.com".into(),
            policy: DmarcPolicy::Reject,
            wants_reports: false,
        };
        assert_eq!(
            authentication_results("mail.example.org", &verdict),
            "Authentication-Results: mail.example.org;\r\n\
             \tdmarc=pass (p=reject) header.from=example.com;\r\n\
             \tdkim=fail header.s=\"a;b\";\r\n\
             \tspf=pass smtp.mailfrom=example.com;\r\n\
             \tarc=none;\r\n\
             \tiprev=pass policy.iprev=192.0.2.1 (mx.example)\r\n"
        );
    }
}
