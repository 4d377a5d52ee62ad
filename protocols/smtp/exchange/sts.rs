//! MTA-STS (RFC 8461): a domain says over HTTPS which hosts take its mail, and that they have
//! certificates. This file reads what domains publish (pure); `store` keeps it, `fetch` gets it.

mod fetch;
mod store;

pub(crate) use store::Store;

/// RFC 8461 §3.2 allows 31557600 seconds, a year.
const MAX_AGE: u64 = 31_557_600;
/// Host patterns of one policy that are looked at.
const MAX_HOSTS: usize = 100;
/// Octets of a policy; RFC 8461 §3.3 leaves the limit to us and names 64 KiB.
pub(crate) const MAX_POLICY: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Enforce,
    None,
    Testing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) mode: Mode,
    /// Seconds.
    pub(crate) max_age: u64,
    /// Names in lower case, or `*.` and a name.
    hosts: Vec<String>,
}

/// The id among the TXT records of `_mta-sts`: `sts-version 1*(";" *WSP sts-field) [";"]`
/// (RFC 8461 §3.1). More than one such record is as good as none.
pub(crate) fn id(texts: &[String]) -> Option<String> {
    let mut records = texts.iter().filter_map(|text| {
        let (version, fields) = text.split_once(';')?;
        (version.trim_end_matches([' ', '\t']) == "v=STSv1").then_some(fields)
    });
    let fields = records.next().filter(|_| records.next().is_none())?;
    let id = fields.split(';').find_map(|field| field.trim_matches([' ', '\t']).strip_prefix("id="))?;
    let fits = (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then(|| id.to_owned())
}

impl Policy {
    /// `sts-policy-record = sts-policy-field *(sts-policy-term sts-policy-field)
    /// [sts-policy-term]` (RFC 8461 §3.2): lines `key: value`. Of a key that is there twice the first
    /// counts, but for `mx`; unknown keys are for later versions.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_POLICY {
            return Err("it is too long");
        }
        let (mut version, mut mode, mut max_age, mut hosts) = (None, None, None, Vec::new());
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim_matches([' ', '\t', '\r']);
            match key.trim_matches([' ', '\t']) {
                "version" => drop(version.get_or_insert(value)),
                "mode" => drop(mode.get_or_insert(value)),
                "max_age" => drop(max_age.get_or_insert(value)),
                "mx" if hosts.len() < MAX_HOSTS => {
                    hosts.push(value.trim_end_matches('.').to_ascii_lowercase());
                }
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err("its version is not STSv1");
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("none") => Mode::None,
            Some("testing") => Mode::Testing,
            _ => return Err("it has no mode that is known"),
        };
        if hosts.is_empty() && mode != Mode::None {
            return Err("it names no host");
        }
        let max_age =
            max_age.filter(|digits| (1..=10).contains(&digits.len())).and_then(|age| age.parse().ok());
        let max_age: u64 = max_age.ok_or("its max_age is no number of seconds")?;
        Ok(Self { mode, max_age: max_age.min(MAX_AGE), hosts })
    }

    /// RFC 8461 §4.1: `*` stands for one label.
    pub(crate) fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => {
                host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
            }
            None => *pattern == host,
        })
    }

    /// The same policy again, line by line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mode = match self.mode {
            Mode::Enforce => "enforce",
            Mode::None => "none",
            Mode::Testing => "testing",
        };
        let mut lines = vec!["version: STSv1".to_owned(), format!("mode: {mode}")];
        lines.extend(self.hosts.iter().map(|host| format!("mx: {host}")));
        lines.push(format!("max_age: {}", self.max_age));
        lines
    }

    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8461_3_1_one_record_with_an_id() {
        for (records, expected) in [
            (&["v=STSv1; id=20260101T000000;"][..], Some("20260101T000000")),
            (&["v=STSv1;id=7"], Some("7")),
            (&["v=STSv1 ; future=x ; id=7"], Some("7")),
            (&["google-verification=1", "v=STSv1; id=7;"], Some("7")),
            (&["v=STSv1; id=7;", "v=STSv1; id=7;"], None),
            (&["v=STSv2; id=7;"], None),
            (&["v=STSv1"], None),
            (&["v=STSv1; id=;"], None),
            (&["v=STSv1; id=a-b;"], None),
            (&["v=STSv1; id=123456789012345678901234567890123;"], None),
            (&["id=7; v=STSv1;"], None),
            (&[], None),
        ] {
            let texts: Vec<String> = records.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(id(&texts).as_deref(), expected, "{records:?}");
        }
    }

    #[test]
    fn rfc8461_3_2_policies() {
        let policy = |mode, max_age, hosts: &[&str]| {
            Ok(Policy { mode, max_age, hosts: hosts.iter().map(|host| (*host).to_owned()).collect() })
        };
        for (text, expected) in [
            (
                "version: STSv1\r\nmode: enforce\r\nmx: MX1.a.test.\r\nmx: *.b.test\r\nmax_age: 86400\r\n",
                policy(Mode::Enforce, 86400, &["mx1.a.test", "*.b.test"]),
            ),
            ("version:STSv1\nmode:testing\nmx:a.test\nmax_age:5", policy(Mode::Testing, 5, &["a.test"])),
            ("version: STSv1\nmode: none\nmax_age: 1\n", policy(Mode::None, 1, &[])),
            (
                "version: STSv1\nmode: enforce\nmode: none\nmx: a.test\nmax_age: 9\nmax_age: 1\n",
                policy(Mode::Enforce, 9, &["a.test"]),
            ),
            (
                "\nversion: STSv1\nwhat is this\nlater: x\nmode: enforce\nmx: a.test\nmax_age: 999999999\n",
                policy(Mode::Enforce, MAX_AGE, &["a.test"]),
            ),
            ("version: STSv1\nmode: enforce\nmax_age: 1\n", Err("it names no host")),
            ("version: STSv1\nmode: enforce\nmx: a.test\n", Err("its max_age is no number of seconds")),
            ("version: STSv1\nmode: none\nmax_age: -1\n", Err("its max_age is no number of seconds")),
            (
                "version: STSv1\nmode: none\nmax_age: 99999999999\n",
                Err("its max_age is no number of seconds"),
            ),
            ("mode: none\nmax_age: 1\n", Err("its version is not STSv1")),
            ("version: STSv2\nmode: none\nmax_age: 1\n", Err("its version is not STSv1")),
            ("version: STSv1\nmode: strict\nmx: a.test\nmax_age: 1\n", Err("it has no mode that is known")),
            ("<html>version: STSv1</html>", Err("its version is not STSv1")),
            ("", Err("its version is not STSv1")),
        ] {
            assert_eq!(Policy::parse(text), expected, "{text:?}");
        }
        assert!(Policy::parse(&"x".repeat(MAX_POLICY + 1)).is_err());
        let text = "version: STSv1\nmode: testing\nmx: a.test\nmx: *.b.test\nmax_age: 9";
        assert_eq!(Policy::parse(text).expect("a policy").lines().join("\n"), text);
    }

    #[test]
    fn rfc8461_4_1_hosts() {
        let text = "version: STSv1\nmode: enforce\nmx: mx.a.test\nmx: *.b.test\nmax_age: 1\n";
        let policy = Policy::parse(text).expect("a policy");
        for (host, expected) in [
            ("mx.a.test", true),
            ("MX.A.test.", true),
            ("x.b.test", true),
            ("b.test", false),
            (".b.test", false),
            ("x.y.b.test", false),
            ("mx2.a.test", false),
            ("xmx.a.test", false),
        ] {
            assert_eq!(policy.allows(host), expected, "{host}");
        }
    }
}
