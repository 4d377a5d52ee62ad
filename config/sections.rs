//! All settings. The doc comments are the reference text of `hub.toml`: they say what a setting
//! does and why its default is what it is.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use crate::dnsbl::Dnsbl;
use crate::files::Files;
use crate::network::Networks;
use crate::proxy::Proxy;
use crate::rates::Rates;
use crate::read::{Errors, Problem, Reader};
use crate::render::Renderer;
use crate::section::{Section, section};
use crate::twins::Twins;
use crate::value::{
    AcmeChallenge, CertificateFiles, Database, Dnssec, Endpoint, Endpoints, LogFormat, LogLevel,
    MilterFailure, MtaSts, Quota, RelayTls, Size,
};

section! {
    pub struct General {
        /// Where everything is kept. A path in this file is relative to the file's own folder.
        /// Default: $TWINHUB_DATA_DIR, else ~/.local/share/twinhub (or under $XDG_DATA_HOME).
        /// The option --data-dir wins over this setting.
        data_directory: Option<PathBuf> = None, "\"/var/lib/twinhub\"";
        /// "sqlite" keeps rows and small messages in hub.db in the data directory and needs nothing
        /// else: right for one machine. "postgres://USER@HOST/NAME" uses a PostgreSQL database; large
        /// messages and keys stay in the data directory. The option --database wins.
        database: Database = Database::Sqlite;
        /// Mail domains that this hub hosts, besides those added by `twinhub domain add`. Removing
        /// one here does not remove its twins.
        domains: Vec<String> = Vec::new(), "[\"example.org\"]";
        /// The hub's own name in SMTP greetings and Received lines. Other mail servers expect one
        /// that DNS knows. Default: "mail." and the first domain, else the machine's name.
        hostname: Option<String> = None, "\"mail.example.org\"";
    }
}

section! {
    /// Addresses to listen on: "ADDRESS:PORT" or a list of them, "*" for all addresses of the machine,
    /// [] for none. The default ports need no privileges; mail from the internet arrives on port 25
    /// only, so forward it (or listen on "*:25" with the capability to).
    pub struct Listen {
        /// Mail from other servers (SMTP, STARTTLS offered). The official port is 25.
        smtp: Endpoints = any(2525);
        /// Mail from twins' programs, STARTTLS before log-in. The official port is 587.
        submission: Endpoints = any(2587);
        /// The same with TLS from the first byte; to be preferred (RFC 8314). The official port is 465.
        submissions: Endpoints = any(2465);
        /// Mail from another mail server that stands in front of this hub and has checked it, by LMTP
        /// (RFC 2033), such as Postfix with virtual_transport = lmtp:inet:127.0.0.1:2524. Off by default.
        lmtp: Endpoints = Endpoints(Vec::new());
        /// Reading mail, STARTTLS before log-in. The official port is 143.
        imap: Endpoints = any(2143);
        /// The same with TLS from the first byte; to be preferred. The official port is 993.
        imaps: Endpoints = any(2993);
        /// Rules about mail: ManageSieve, STARTTLS before log-in. The official port is 4190.
        managesieve: Endpoints = any(2419);
        /// The web door. Plain HTTP hands out settings for mail programs and otherwise points to https.
        /// The official port is 80.
        http: Endpoints = any(2080);
        /// The same with TLS; programs set themselves up here. The official port is 443, and most
        /// programs look nowhere else.
        https: Endpoints = any(2443);
    }
}

section! {
    /// Ports at which the outside reaches the hub, where a forward or a proxy makes them differ from
    /// those under listen. Programs are told these, and so is DNS. 0 keeps one to yourself.
    pub struct Public {
        http: Option<u16> = None, "80";
        https: Option<u16> = None, "443";
        imap: Option<u16> = None, "143";
        imaps: Option<u16> = None, "993";
        managesieve: Option<u16> = None, "4190";
        submission: Option<u16> = None, "587";
        submissions: Option<u16> = None, "465";
    }
}

section! {
    /// Certificates.
    pub struct Tls {
        /// Certificate chains and private keys (PEM). The one that names what the client asked for is
        /// shown, else the first. Changed files are picked up within a minute, or at once on SIGHUP.
        /// Default: a certificate that names localhost and every domain, signed by an authority of
        /// this hub's own (certs/ca.pem in the data directory).
        certificates: Vec<CertificateFiles> = Vec::new(),
            "[{ chain = \"/etc/ssl/hub/fullchain.pem\", key = \"/etc/ssl/hub/privkey.pem\" }]";
        /// What the hub's MTA-STS policy asks of other servers that cannot check its certificate: "testing",
        /// to bring the mail and report (see `twinhub reports tls`), or "enforce", to keep the mail back.
        /// Say "enforce" when the reports are good. "none" takes a policy back: keep it so for a week
        /// before you switch off port 443 or the certificate.
        mta_sts: MtaSts = MtaSts::Testing;
        /// PEM file with authorities to trust on outgoing connections, besides the public ones.
        trust_roots: Option<PathBuf> = None, "\"/etc/ssl/our-ca.pem\"";
    }
}

section! {
    /// A certificate from a public authority, fetched and renewed by the hub itself (ACME, RFC 8555), so
    /// that mail programs ask no questions. The authority looks for the hub on port 80 or 443 of every
    /// name: forward one of them to listen.http or listen.https.
    pub struct Acme {
        /// Switches it on, and says that you have read and accept the authority's terms (those of Let's
        /// Encrypt: <https://letsencrypt.org/repository/>).
        agree_to_terms: bool = false;
        /// The authority. Try things out with <https://acme-staging-v02.api.letsencrypt.org/directory>,
        /// which nobody trusts but which is more patient.
        directory: String = "https://acme-v02.api.letsencrypt.org/directory".to_owned();
        /// A mail address at which the authority may reach you.
        contact: Option<String> = None, "\"admin@example.org\"";
        /// Names to have in the certificate. Default: the host name, and of every domain mail.,
        /// autoconfig. and mta-sts.; those that the authority cannot see are left out.
        names: Vec<String> = Vec::new(), "[\"mail.example.org\"]";
        /// "http-01" needs port 80, "tls-alpn-01" port 443; "any" tries both.
        challenge: AcmeChallenge = AcmeChallenge::Any;
    }
}

section! {
    /// Limits. They keep one client from using up what all share; ordinary mail stays far below them.
    pub struct Limits {
        /// Largest message accepted, by SMTP and IMAP alike. 50 MiB is what large providers take.
        message_size: Size = Size(50 << 20);
        /// Recipients of one message; 100 is the least that RFC 5321 allows.
        recipients: u32 = 1000;
        /// Quota of a new twin. The default is no limit, because mail should not bounce for a limit
        /// that nobody chose; a full disk is answered with "try again later" and loses nothing.
        /// `twinhub twin quota` changes it for one twin.
        quota: Quota = Quota(None);
        /// Connections to one listener at a time.
        connections: usize = 10_000;
        /// Connections to one listener from one IPv4 address or IPv6 /64 network. Mail programs open
        /// five or so; 100 is enough for an office behind one address. Connections from this machine
        /// (a proxy, perhaps) do not count.
        connections_per_address: usize = 100;
        /// Logged-in connections of one twin, by IMAP, by ManageSieve and for sending each.
        connections_per_account: usize = 50;
        /// Time for TLS and log-in before an IMAP, submission or ManageSieve connection is closed.
        time_before_login: Duration = secs(60);
        /// Failed log-ins on one connection before it is closed.
        failed_logins: u32 = 3;
        /// Time without a command before a logged-in IMAP or ManageSieve connection is closed; RFC 9051
        /// §5.4 and RFC 5804 §1.2 ask for at least 30 minutes.
        idle_time: Duration = secs(30 * 60);
        /// How often an IMAP client in IDLE is told "Still here": often enough that no router on the way
        /// forgets the connection, seldom enough for a phone's battery.
        idle_keep_alive: Duration = secs(2 * 60);
        /// Time to wait for the next SMTP command or piece of a message, and for a client that does
        /// not read its answers; RFC 5321 §4.5.3.2 asks for at least 5 minutes.
        command_time: Duration = secs(5 * 60);
        /// Longest IMAP command after log-in (before it, 8 KiB), literals not counted. Clients that
        /// list many messages one by one send long ones.
        line_length: Size = Size(64 << 10);
        /// Received lines after which a message is taken to run in a circle (RFC 5321 §6.3).
        hops: u32 = 100;
        /// Memory for indexes of mailboxes that nobody has open at the moment.
        index_cache: Size = Size(64 << 20);
        /// Memory for what searching, sorting and threading need of message headers, about 300 bytes
        /// a message; what does not fit is read again when it is needed.
        header_cache: Size = Size(128 << 20);
        /// Memory for messages that were read lately. All devices of a twin ask for a new message within
        /// seconds; from here they get it without unpacking it each time.
        message_cache: Size = Size(64 << 20);
    }
}

section! {
    /// The name server that is asked for MX records and the like.
    pub struct Resolver {
        /// Default: what the system uses (/etc/resolv.conf).
        address: Option<IpAddr> = None, "\"127.0.0.1\"";
        port: u16 = 53;
        /// Time for one answer.
        time: Duration = secs(5);
        /// "auto" validates answers with DNSSEC if the name server passes signatures on, as those of
        /// providers do and many a home router's does not. "on" believes nothing else, "off" does
        /// without, and without DANE. "auto" is about the way out; "on" is about checks on senders too,
        /// who can then make the hub work, as proofs in their zones have to be followed.
        dnssec: Dnssec = Dnssec::Auto;
        /// File with DNSKEY records to trust instead of the root's, for a DNS of one's own.
        trust_anchor: Option<PathBuf> = None, "\"/etc/twinhub/root.key\"";
    }
}

section! {
    /// Who is behind mail from other servers: SPF, DKIM, ARC and DMARC.
    pub struct Authentication {
        /// Check it, do what the author's domain asks for (refuse it, or put it into Junk), and write
        /// Authentication-Results. Mail that claims a domain of this hub without proof goes to Junk.
        check: bool = true;
        /// Check mail from this machine and from rates.spared_networks too. Off, because that comes from
        /// the owner's own programs and proxies.
        check_loopback: bool = false;
        /// After so long a domain's signing keys (DKIM) get successors, if DNS has their records. The new
        /// ones sign once DNS has them too; until then the old ones do. "0s" is never.
        key_age: Duration = secs(180 * 86_400);
        /// How long mail is put off at first contact if nobody answers for it: neither SPF nor DKIM, or not
        /// the author's domain and the server's address has no name. Other mail servers come again by
        /// themselves, most programs that only send junk do not. Whoever came once is known for 36 days.
        /// "0 s" lets everybody in at once.
        greylisting: Duration = secs(5 * 60);
        /// Tell the owners of domains that ask for it, once a day, about mail that claims to be theirs
        /// (DMARC aggregate reports).
        reports: bool = true;
    }
}

section! {
    /// Mail to the outside. Without a relay host the hub brings it to each domain's own servers, with
    /// as much TLS as they have, and no less than they ask for (DANE, MTA-STS).
    pub struct Outbound {
        /// Port of other mail servers. Anything but 25 is for tests.
        port: u16 = 25;
        /// Port of other domains' MTA-STS policies. Anything but 443 is for tests.
        mta_sts_port: u16 = 443;
        /// Tell domains that ask for it, once a day, how TLS on the way to them went (TLS-RPT).
        tls_reports: bool = true;
        /// Factor for the pauses between attempts. Anything but 1.0 is for tests: with 0.001, an hour
        /// lasts 3.6 seconds.
        clock_scale: f64 = 1.0;
    }
}

section! {
    /// A relay host that takes all mail to the outside: for a machine that may not use port 25, or
    /// whose address other servers do not trust.
    pub struct Relay {
        host: Option<String> = None, "\"smtp.example.net\"";
        port: u16 = 587;
        /// "starttls" (mostly port 587), "implicit" (port 465), or "none" for a relay on this machine.
        /// With the first two the relay must show a certificate that fits its name.
        tls: RelayTls = RelayTls::StartTls;
        /// Log-in name, if the relay wants one.
        user: Option<String> = None, "\"hub@example.net\"";
        /// File with the password on its first line; it should be readable by the hub only.
        password_file: Option<PathBuf> = None, "\"/etc/twinhub/relay-password\"";
    }
}

section! {
    /// Mail by LMTP (see listen.lmtp).
    pub struct Lmtp {
        /// The name under which the server in front writes Authentication-Results (RFC 8601), mostly its
        /// host name. The junk filter then believes what these say of the sender. That server must remove
        /// such fields with its name that others bring; OpenDKIM, OpenDMARC and rspamd do.
        authserv_id: Option<String> = None, "\"mx.example.org\"";
        /// Whose connections are taken. What these hosts bring is delivered without asking SPF and the like
        /// (the junk filter may put it into Junk), so name none but your own servers.
        networks: Networks = Networks::loopback();
    }
}

section! {
    /// A content filter that is asked about mail from other servers before it is acknowledged, over the
    /// milter protocol: rspamd (its proxy worker in milter mode), ClamAV and the like. What it refuses is
    /// refused in the session, also where it would have a message taken and dropped; what it wants
    /// quarantined goes to Junk; header fields that it adds stand in front. It cannot change anything else.
    pub struct Milter {
        /// "HOST:PORT", or the path of a Unix socket.
        address: Option<String> = None, "\"127.0.0.1:11332\"";
        /// When the filter cannot be asked: "tempfail" lets the sender try again later, "accept" delivers
        /// without it. The default loses nothing and lets nothing through.
        on_error: MilterFailure = MilterFailure::TempFail;
        /// Time for one answer; four times that for everything about a message.
        time: Duration = secs(30);
    }
}

section! {
    /// Rules about mail (Sieve).
    pub struct Rules {
        /// Folder with scripts of the site, which every twin's rules can use: include :global "NAME" means
        /// the file NAME.sieve. Read at the start; at most 32 files of 64 KiB.
        global_scripts: Option<PathBuf> = None, "\"/etc/twinhub/sieve\"";
    }
}

section! {
    /// Logs, to standard error.
    pub struct Log {
        /// "text" for people, "json" for programs. The option --log wins.
        format: LogFormat = LogFormat::Text;
        /// "error", "warn", "info", "debug" or "trace". None of them shows passwords or mail.
        level: LogLevel = LogLevel::Info;
    }
}

/// Lists the sections once, in the order of the reference.
macro_rules! config {
    ($($name:ident: $type:ident,)*) => {
        /// The whole configuration.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Config {
            pub general: General,
            $(pub $name: $type,)*
        }

        const SECTIONS: &[&str] = &[$(stringify!($name)),*];

        impl Config {
            fn read(&mut self, reader: &mut Reader<'_>, table: &DeTable<'_>) {
                self.general.read(reader, table, "");
                reader.unknown_keys(table, "", &[General::NAMES, SECTIONS].concat());
                $(
                    let name = stringify!($name);
                    if let Some(table) = reader.section(table, name) {
                        self.$name.read(reader, table, name);
                        reader.unknown_keys(table, name, $type::NAMES);
                    }
                )*
            }

            pub(crate) fn render_sections(renderer: &mut Renderer) {
                renderer.keys::<General>();
                $( renderer.section::<$type>(stringify!($name)); )*
            }
        }
    };
}

config! {
    listen: Listen,
    public: Public,
    proxy: Proxy,
    tls: Tls,
    acme: Acme,
    limits: Limits,
    rates: Rates,
    resolver: Resolver,
    authentication: Authentication,
    dnsbl: Dnsbl,
    outbound: Outbound,
    relay: Relay,
    lmtp: Lmtp,
    milter: Milter,
    rules: Rules,
    files: Files,
    twins: Twins,
    log: Log,
}

/// 1 MiB: a configuration file is some kilobytes; a larger one is a mix-up.
const MAX_FILE: u64 = 1 << 20;

impl Config {
    /// Reads a file. Relative paths in it become relative to its folder.
    pub fn load(file: &Path) -> Result<Self, Errors> {
        let failed =
            |text: String| Errors { file: file.to_owned(), problems: vec![Problem { line: None, text }] };
        let size = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?.len();
        if size > MAX_FILE {
            return Err(failed("larger than 1 MiB: this is not a configuration file".to_owned()));
        }
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        let mut config = Self::parse(&text, file)?;
        config.resolve_paths(file.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Reads the text of a file; `file` is for messages.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Errors> {
        let mut reader = Reader::new(text);
        let table = reader.document();
        let mut config = Self::default();
        config.read(&mut reader, &table);
        config.examine(&mut reader);
        reader.finish(file)?;
        Ok(config)
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let paths = [
            self.general.data_directory.as_mut(),
            self.tls.trust_roots.as_mut(),
            self.resolver.trust_anchor.as_mut(),
            self.relay.password_file.as_mut(),
            self.rules.global_scripts.as_mut(),
        ];
        let certificates =
            self.tls.certificates.iter_mut().flat_map(|files| [&mut files.chain, &mut files.key]);
        for path in paths.into_iter().flatten().chain(certificates) {
            *path = folder.join(&path);
        }
    }
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn any(port: u16) -> Endpoints {
    Endpoints(vec![Endpoint::Any(port)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("hub.toml")).map_err(|errors| errors.to_string())
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse(""), Ok(Config::default()));
        assert_eq!(parse("# nothing\n[limits]\n"), Ok(Config::default()));
    }

    #[test]
    fn values_are_read() {
        let config = parse(
            r#"
            domains = ["example.org", "例子.测试"]
            database = "postgres://hub@localhost/hub"
            [listen]
            smtp = "*:25"
            imap = []
            imaps = ["127.0.0.1:993", "[::1]:993"]
            [public]
            imaps = 993
            [tls]
            certificates = [{ chain = "a.pem", key = "b.pem" }]
            [limits]
            message_size = "1.5 MiB"
            line_length = 100_000
            idle_time = "2 h"
            quota = "10 GB"
            [resolver]
            address = "::1"
            dnssec = "off"
            [outbound]
            clock_scale = 0.001
            [relay]
            host = "127.0.0.1"
            tls = "none"
            [lmtp]
            networks = ["192.0.2.0/24", "::1"]
            [log]
            level = "debug"
            "#,
        )
        .expect("valid");
        assert_eq!(config.general.domains, ["example.org", "例子.测试"]);
        assert_eq!(config.general.database, Database::Postgres("postgres://hub@localhost/hub".into()));
        assert_eq!(config.listen.smtp, any(25));
        assert_eq!(config.listen.submission, any(2587), "not mentioned, so the default");
        assert_eq!(config.listen.imap, Endpoints(vec![]));
        assert_eq!((config.public.imaps, config.public.imap), (Some(993), None));
        assert_eq!(config.listen.imaps.0.len(), 2);
        assert_eq!(config.tls.certificates[0].key, PathBuf::from("b.pem"));
        assert_eq!(config.limits.message_size, Size(1_572_864));
        assert_eq!(config.limits.line_length, Size(100_000));
        assert_eq!(config.limits.idle_time, secs(7200));
        assert_eq!(config.limits.quota, Quota(Some(Size(10_000_000_000))));
        assert_eq!(config.resolver.address, "::1".parse().ok());
        assert_eq!(config.resolver.dnssec, Dnssec::Off);
        assert_eq!(config.outbound.clock_scale, 0.001);
        assert_eq!(config.relay.tls, RelayTls::None);
        assert_eq!(config.lmtp.networks.0.len(), 2);
        assert!(config.listen.lmtp.0.is_empty(), "off unless asked for");
        assert_eq!(config.log.level, LogLevel::Debug);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, expected) in [
            ("domain = [\"a\"]", "hub.toml:1: unknown key `domain`; did you mean `domains`?"),
            (
                "[limits]\n\nmesage_size = 1",
                "hub.toml:3: unknown key `limits.mesage_size`; did you mean `message_size`?",
            ),
            ("[limit]\nconnections = 1", "hub.toml:1: unknown key `limit`; did you mean `limits`?"),
            (
                "[outbound]\ncolour = 1",
                "hub.toml:2: unknown key `outbound.colour`; known here: port, mta_sts_port, tls_reports, clock_scale",
            ),
            (
                "[limits]\nmessage_size = \"50 Mibs\"",
                "hub.toml:2: limits.message_size: expected a size such as \"50 MiB\", found \"50 Mibs\"",
            ),
            (
                "[limits]\nidle_time = 30",
                "hub.toml:2: limits.idle_time: expected a time with its unit such as \"30 s\", \"5 min\", \
                 \"2 h\" or \"7 d\", found the number 30",
            ),
            (
                "[listen]\nimap = 143",
                "hub.toml:2: listen.imap: expected \"ADDRESS:PORT\" such as \"*:25\", \"127.0.0.1:25\" or \
                 \"[::1]:25\", or a list of them, found the number 143",
            ),
            (
                "[resolver]\nport = 99999",
                "hub.toml:2: resolver.port: expected a whole number from 0 to 65535, found the number 99999",
            ),
            (
                "[log]\nlevel = \"loud\"",
                "hub.toml:2: log.level: expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\", \
                 found \"loud\"",
            ),
            (
                "[tls]\ncertificates = [{ chain = \"a.pem\" }]",
                "hub.toml:2: tls.certificates: expected a list such as [{ chain = \"fullchain.pem\", \
                 key = \"privkey.pem\" }], found a list: `key` is missing",
            ),
            ("limits = 3", "hub.toml:1: limits: expected a section [limits], found the number 3"),
            (
                "database = \"mysql://root:secret@host/x\"",
                "hub.toml:1: database: expected \"sqlite\" or a URL \"postgres://user@host/name\", found a URL",
            ),
            ("[limits]\nrecipients = 5", "hub.toml:2: limits.recipients: at least 100 (RFC 5321 §4.5.3.1.8)"),
            (
                "[relay]\nhost = \"smtp.example.net\"\nuser = \"me\"",
                "hub.toml:3: relay.user: relay.password_file is missing",
            ),
            ("hostname = \"[192.0.2.1]\"", "hub.toml:1: hostname: \"[192.0.2.1]\" is not a host name"),
            (
                "[acme]\nagree_to_terms = true\n[tls]\ncertificates = [{ chain = \"a\", key = \"b\" }]",
                "hub.toml:2: acme.agree_to_terms: tls.certificates are set; take one or the other",
            ),
            (
                "[acme]\ndirectory = \"http://a.test/\"",
                "hub.toml:2: acme.directory: not an https URL (RFC 8555 §6.1)",
            ),
            ("[acme]\nnames = [\"*.a.test\"]", "hub.toml:2: acme.names: \"*.a.test\" is not a host name"),
            ("[acme]\ncontact = \"mailto:a@b\"", "hub.toml:2: acme.contact: not a mail address"),
            ("domains = [\"a@b\"]", "hub.toml:1: domains: \"a@b\" is not a domain name"),
            (
                "[rates]\nspared_networks = [\"10.0.0.1/8\"]",
                "hub.toml:2: rates.spared_networks: expected a list of networks such as [\"192.0.2.0/24\", \
                 \"2001:db8::/32\"], found a list",
            ),
            (
                "[proxy]\nimap = [\"0.0.0.0/0\"]",
                "hub.toml:2: proxy.imap: everybody is in it, and could name himself as he likes",
            ),
            (
                "[authentication]\ngreylisting = \"1 d\"",
                "hub.toml:2: authentication.greylisting: at most 1 h: some servers give up, and people wait",
            ),
            (
                "[dnsbl]\nmark = [\"spamhaus\"]",
                "hub.toml:2: dnsbl.mark: \"spamhaus\" is not the name of a list in DNS",
            ),
            (
                "[outbound]\nclock_scale = nan",
                "hub.toml:2: outbound.clock_scale: more than 0 and at most 1000",
            ),
        ] {
            assert_eq!(parse(text).expect_err(text), expected);
        }
        let syntax = parse("domains = [\n\"a\"\n[log]\n").expect_err("not TOML");
        assert!(syntax.starts_with("hub.toml:") && syntax.contains(": not TOML: "), "{syntax}");
    }

    #[test]
    fn all_mistakes_are_named_at_once_in_order() {
        let text = "[log]\nlevl = 1\n[limits]\nhops = true\nrecipients = 1\n";
        let errors = Config::parse(text, Path::new("hub.toml")).expect_err("three mistakes");
        let lines: Vec<_> = errors.problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [Some(2), Some(4), Some(5)]);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let file = folder.path().join("hub.toml");
        std::fs::write(
            &file,
            "data_directory = \"data\"\n[tls]\ncertificates = [{ chain = \"/a.pem\", key = \"b.pem\" }]\n",
        )
        .expect("writes");
        let config = Config::load(&file).expect("valid");
        assert_eq!(config.general.data_directory, Some(folder.path().join("data")));
        assert_eq!(config.tls.certificates[0].chain, PathBuf::from("/a.pem"));
        assert_eq!(config.tls.certificates[0].key, folder.path().join("b.pem"));

        let missing = Config::load(&folder.path().join("absent.toml")).expect_err("no file").to_string();
        assert!(missing.contains("absent.toml: No such file"), "{missing}");
    }

    proptest::proptest! {
        /// Any text is an error or a configuration, never a panic.
        #[test]
        fn any_text_is_answered(text in "[a-z\\[\\]\"'=,.\n#{} 0-9]{0,80}") {
            let _ = parse(&text);
        }
    }
}
