//! Clients that we did not write, as Debian packages them. A client that is missing is a loud skip.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{ALICE, BOB, Hub, PASSWORD, has_program, message};
use crate::imap_client::Value;

/// A client's run: what it printed on both channels, and whether it was content.
pub(crate) struct Run {
    ok: bool,
    text: String,
}

impl Run {
    /// What it printed, content or not.
    pub(crate) fn text(self) -> String {
        self.text
    }

    #[track_caller]
    pub(crate) fn expect_ok(self) -> String {
        assert!(self.ok, "{}", self.text);
        self.text
    }
}

/// Runs a program in the hub's directory as its home; it is ended after two minutes.
pub(crate) fn run(hub: &Hub, program: &str, arguments: &[&str], input: &[u8]) -> Run {
    let file = hub.path("client-input");
    fs::write(&file, input).expect("a write");
    let output = Command::new("timeout")
        .args(["--kill-after=5", "120", program])
        .args(arguments)
        .env("HOME", hub.path(""))
        .env("LC_ALL", "C.UTF-8")
        .env("SSL_CERT_FILE", &hub.ports().ca)
        .current_dir(hub.path(""))
        .stdin(fs::File::open(&file).expect("the input"))
        .output()
        .expect("start of timeout(1)");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Run { ok: output.status.success(), text: format!("{program}: {}\n{text}", output.status) }
}

/// Writes a configuration file that only its owner may read, as most clients insist.
pub(crate) fn configuration(hub: &Hub, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = hub.path(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder");
    }
    fs::write(&path, text).expect("a write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
    path.display().to_string()
}

pub(crate) fn seed(hub: &Hub, count: usize) {
    let mut imap = hub.imap(ALICE);
    imap.ok("CREATE Work");
    imap.ok("CREATE \"Pr&APw-fung &- Ablage\"");
    for n in 0..count {
        imap.append("INBOX", "", &message("a@x.test", ALICE, &format!("Message {n:02}"), "Grüße\r\n.\r\n"));
    }
    for n in 0..3 {
        imap.append("Work", "(\\Seen) ", &message("a@x.test", ALICE, &format!("Work {n}"), "x\r\n"));
    }
}

/// Mailbox → subject → flags, as the server has them.
pub(crate) fn state(hub: &Hub, mailboxes: &[&str]) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let mut imap = hub.imap(ALICE);
    let mut state = BTreeMap::new();
    for mailbox in mailboxes {
        if imap.command(&format!("EXAMINE \"{mailbox}\"")).status != "OK" {
            continue;
        }
        let reply = imap.ok("UID FETCH 1:* (FLAGS ENVELOPE)");
        // What others change meanwhile is told without an envelope.
        let answers = reply.fetched().into_iter().filter(|fetched| fetched.find("ENVELOPE").is_some());
        let messages = answers.map(|fetched| {
            let subject = match &fetched.item("ENVELOPE").list()[1] {
                Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
                _ => String::new(),
            };
            (subject, fetched.flags())
        });
        state.insert((*mailbox).to_owned(), messages.collect());
    }
    state
}

/// Subject → file of the messages in a Maildir.
fn maildir(folder: &Path) -> BTreeMap<String, std::path::PathBuf> {
    let files = ["cur", "new"].into_iter().filter_map(|part| fs::read_dir(folder.join(part)).ok()).flatten();
    let subject = |path: &Path| {
        let bytes = fs::read(path).expect("a message");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("Subject: ").map(str::to_owned));
        line.unwrap_or_else(|| panic!("no subject in {text}"))
    };
    files.map(|entry| entry.expect("an entry").path()).map(|path| (subject(&path), path)).collect()
}

/// Every file below a folder with its size and time of change.
fn files(folder: &Path) -> Vec<(String, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let meta = entry.metadata().expect("metadata");
        if meta.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path().display().to_string(), meta.len(), meta.modified().expect("a time")));
        }
    }
    found.sort();
    found
}

#[test]
fn client_python_imaplib() {
    if !has_program("python3", "python3") {
        return;
    }
    let hub = Hub::start();
    let ports = hub.ports();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/scripts/imaplib_session.py");
    let arguments = [
        script,
        "localhost",
        &ports.imaps.to_string(),
        &ports.imap.to_string(),
        &ports.ca.display().to_string(),
        ALICE,
        PASSWORD,
    ];
    run(&hub, "python3", &arguments, b"").expect_ok();
}

#[test]
fn client_python_smtplib() {
    if !has_program("python3", "python3") {
        return;
    }
    let hub = Hub::start();
    let ports = hub.ports();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/scripts/smtplib_session.py");
    let numbers = [ports.smtp, ports.submission, ports.submissions].map(|port| port.to_string());
    let ca = ports.ca.display().to_string();
    let arguments = [script, "localhost", &numbers[0], &numbers[1], &numbers[2], &ca, ALICE, PASSWORD, BOB];
    let printed = run(&hub, "python3", &arguments, b"").expect_ok();
    let expected = (".".to_owned() + &"x".repeat(980) + "\r\n..äöü\r\n.\r\n").repeat(10_000);
    assert!(printed.contains(&expected.len().to_string()), "{printed}");
    for subject in [
        "smtplib mx",
        "smtplib plain True",
        "smtplib login True",
        "smtplib plain False",
        "smtplib login False",
    ] {
        hub.arrived(BOB, subject);
    }
    assert!(hub.arrived(BOB, "smtplib big").ends_with(expected.as_bytes()));
}

#[test]
fn client_curl_imap_and_smtp() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    seed(&hub, 10);
    let (ports, ca) = (hub.ports(), hub.ports().ca.display().to_string());
    let login = format!("{ALICE}:{PASSWORD}");
    let curl = |arguments: &[&str]| {
        run(&hub, "curl", &[&["-sS", "--cacert", &ca, "-u", &login], arguments].concat(), b"")
    };
    let imaps = format!("imaps://localhost:{}/", ports.imaps);
    let list = curl(&[&imaps]).expect_ok();
    assert!(list.contains("INBOX") && list.contains("Work"), "{list}");
    assert!(curl(&[&format!("{imaps}INBOX;MAILINDEX=1")]).expect_ok().contains("Subject: Message 00"));
    assert!(curl(&[&format!("{imaps}INBOX;UID=2;SECTION=TEXT")]).expect_ok().contains("Grüße"));
    assert!(curl(&[&format!("{imaps}INBOX?SUBJECT%20%2207%22")]).expect_ok().contains("* SEARCH 8"));
    assert!(curl(&["-X", "EXAMINE Work", &imaps]).expect_ok().contains("* 3 EXISTS"));
    let letter = configuration(
        &hub,
        "letter",
        "From: <alice@hub.test>\r\nTo: <bob@hub.test>\r\nSubject: by curl\r\n\r\n.\r\nx\r\n",
    );
    curl(&["-T", &letter, &format!("{imaps}Work")]).expect_ok();
    assert!(state(&hub, &["Work"])["Work"].contains_key("by curl"));
    let starttls = curl(&["--ssl-reqd", &format!("imap://localhost:{}/", ports.imap)]).expect_ok();
    assert!(starttls.contains("INBOX"), "{starttls}");
    // curl's own SASL: PLAIN and LOGIN by option of the address
    for mechanism in ["PLAIN", "LOGIN"] {
        curl(&["--login-options", &format!("AUTH={mechanism}"), &imaps]).expect_ok();
    }
    for (number, address) in
        [format!("smtp://localhost:{}", ports.submission), format!("smtps://localhost:{}", ports.submissions)]
            .iter()
            .enumerate()
    {
        let subject = format!("curl sends {number}");
        let letter = configuration(
            &hub,
            "letter",
            &format!("From: <{ALICE}>\r\nTo: <{BOB}>\r\nSubject: {subject}\r\n\r\n..\r\nx\r\n"),
        );
        curl(&["--ssl-reqd", "--mail-from", ALICE, "--mail-rcpt", BOB, "-T", &letter, address]).expect_ok();
        assert!(hub.arrived(BOB, &subject).ends_with(b"\r\n\r\n..\r\nx\r\n"));
    }
    let wrong = run(&hub, "curl", &["-sS", "--cacert", &ca, "-u", &format!("{ALICE}:wrong"), &imaps], b"");
    assert!(!wrong.ok && wrong.text.contains("67"), "curl's code for a refused login: {}", wrong.text);
}

#[test]
fn client_swaks_submission_and_refusals() {
    if !has_program("swaks", "swaks") {
        return;
    }
    let hub = Hub::start();
    let ports = hub.ports();
    let (starttls, implicit, mx) =
        (ports.submission.to_string(), ports.submissions.to_string(), ports.smtp.to_string());
    let swaks = |port: &str, arguments: &[&str]| {
        let common =
            ["--server", "localhost", "--ehlo", "client.test", "--from", ALICE, "--to", BOB, "--port", port];
        run(&hub, "swaks", &[&common[..], arguments].concat(), b"")
    };
    let login = ["--auth-user", ALICE, "--auth-password", PASSWORD];
    for (number, (port, tls, mechanism)) in [
        (&starttls, "--tls", "PLAIN"),
        (&starttls, "--tls", "LOGIN"),
        (&implicit, "--tls-on-connect", "PLAIN"),
        (&implicit, "--tls-on-connect", "LOGIN"),
    ]
    .into_iter()
    .enumerate()
    {
        let subject = format!("Subject: swaks {number}");
        let more =
            [tls, "--tls-verify", "--auth", mechanism, "--header", &subject, "--body", ".\\n.. dots\\n"];
        swaks(port, &[&more[..], &login].concat()).expect_ok();
        hub.arrived(BOB, &format!("swaks {number}"));
    }
    let refused = |port: &str, arguments: &[&str], code: &str| {
        let run = swaks(port, arguments);
        assert!(!run.ok, "{}", run.text);
        assert!(
            run.text.lines().any(|line| line.starts_with("<") && line.contains(code)),
            "{code}: {}",
            run.text
        );
    };
    refused(
        &starttls,
        &["--tls", "--auth", "PLAIN", "--auth-user", ALICE, "--auth-password", "wrong"],
        " 535 ",
    );
    refused(&starttls, &["--tls"], " 530 ");
    refused(
        &implicit,
        &[&["--tls-on-connect", "--to", "nobody@hub.test", "--auth", "PLAIN"][..], &login].concat(),
        " 550 ",
    );
    refused(
        &implicit,
        &[&["--tls-on-connect", "--from", BOB, "--auth", "PLAIN"][..], &login].concat(),
        " 55",
    );
    let forged = ["--tls-on-connect", "--header", "From: <bob@hub.test>", "--auth", "PLAIN"];
    refused(&implicit, &[&forged[..], &login].concat(), " 550 ");
    refused(&mx, &["--to", "someone@example.org"], " 55");
    // The MX port takes mail for us without a login, and offers none.
    let run = swaks(&mx, &["--from", "x@elsewhere.test", "--header", "Subject: swaks mx", "--tls"]);
    assert!(!run.text.contains("AUTH"), "{}", run.text);
    run.expect_ok();
    hub.arrived(BOB, "swaks mx");
}

#[test]
fn client_msmtp_plain_login_and_scram() {
    if !has_program("msmtp", "msmtp") {
        return;
    }
    let hub = Hub::start();
    let ca = hub.ports().ca.display().to_string();
    for (number, (mechanism, starttls)) in
        [("plain", true), ("login", false), ("scram-sha-256", true), ("scram-sha-256", false)]
            .into_iter()
            .enumerate()
    {
        let port = if starttls { hub.ports().submission } else { hub.ports().submissions };
        let switch = if starttls { "on" } else { "off" };
        let settings = configuration(
            &hub,
            "msmtprc",
            &format!(
                "account default\nhost localhost\nport {port}\ntls on\ntls_starttls {switch}\ntls_trust_file {ca}\n\
                 auth {mechanism}\nuser {ALICE}\npassword {PASSWORD}\nfrom {ALICE}\n"
            ),
        );
        let subject = format!("msmtp {number}");
        run(&hub, "msmtp", &["-C", &settings, BOB], &message(ALICE, BOB, &subject, "x\n.\n")).expect_ok();
        hub.arrived(BOB, &subject);
        let wrong = fs::read_to_string(&settings).expect("settings").replace(PASSWORD, "wrong");
        let settings = configuration(&hub, "msmtprc-wrong", &wrong);
        let refused = run(&hub, "msmtp", &["-C", &settings, BOB], b"Subject: x\n\nx\n");
        assert!(
            !refused.ok && refused.text.contains("authentication failed"),
            "{mechanism}: {}",
            refused.text
        );
    }
}

#[test]
fn client_mbsync_two_way_and_second_run_changes_nothing() {
    if !has_program("mbsync", "isync") {
        return;
    }
    let hub = Hub::start();
    seed(&hub, 20);
    let mail = hub.path("mail");
    fs::create_dir_all(&mail).expect("a folder");
    let settings = configuration(
        &hub,
        "mbsyncrc",
        &format!(
            "IMAPAccount hub\nHost localhost\nPort {}\nUser {ALICE}\nPass {PASSWORD}\nSSLType IMAPS\n\
             CertificateFile {}\nSystemCertificates no\nAuthMechs PLAIN LOGIN\n\nIMAPStore far\nAccount hub\n\n\
             MaildirStore near\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n\
             Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSyncState *\n",
            hub.ports().imaps,
            hub.ports().ca.display(),
            mail = mail.display(),
        ),
    );
    let sync = || run(&hub, "mbsync", &["-c", &settings, "-a"], b"").expect_ok();
    let boxes = ["INBOX", "Work", "Pr&APw-fung &- Ablage", "FromHere"];
    let second_run_changes_nothing = || {
        let (here, there) = (files(&mail), state(&hub, &boxes));
        sync();
        assert_eq!(
            files(&mail).iter().map(|f| &f.0).collect::<Vec<_>>(),
            here.iter().map(|f| &f.0).collect::<Vec<_>>()
        );
        assert_eq!(state(&hub, &boxes), there);
    };
    sync();
    let inbox = maildir(&mail.join("INBOX"));
    assert_eq!(inbox.len(), 20);
    assert_eq!(maildir(&mail.join("Work")).len(), 3);
    // isync is linked with zlib and compresses wherever it is offered.
    assert!(hub.log().contains("connection compressed"), "{}", hub.log());
    second_run_changes_nothing();

    // Here: one new, one read, one deleted, a new folder. There: one flagged, one deleted, one new.
    let new = message("b@x.test", ALICE, "new here", "x\r\n");
    let unix = String::from_utf8(new).expect("UTF-8").replace("\r\n", "\n");
    fs::write(mail.join("INBOX/new/1.local"), &unix).expect("a message");
    let read = &inbox["Message 00"];
    let base =
        read.file_name().and_then(|name| name.to_str()).expect("a name").split(':').next().expect("a base");
    fs::rename(read, mail.join("INBOX/cur").join(format!("{base}:2,S"))).expect("rename");
    fs::remove_file(&inbox["Message 01"]).expect("remove");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(mail.join("FromHere").join(part)).expect("a folder");
    }
    fs::write(mail.join("FromHere/new/2.local"), unix.replace("new here", "in a new folder"))
        .expect("a message");
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    imap.ok("STORE 3 +FLAGS (\\Flagged)");
    imap.ok("STORE 4 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    imap.append("INBOX", "", &message("a@x.test", ALICE, "new there", "x\r\n"));
    sync();
    let there = state(&hub, &boxes);
    assert!(there["INBOX"].contains_key("new here"));
    assert_eq!(there["INBOX"]["Message 00"], ["\\Seen"]);
    assert!(!there["INBOX"].contains_key("Message 01"));
    assert!(there["FromHere"].contains_key("in a new folder"));
    let here = maildir(&mail.join("INBOX"));
    assert!(here.contains_key("new there") && !here.contains_key("Message 03"));
    assert!(
        here["Message 02"].display().to_string().rsplit(',').next().is_some_and(|flags| flags.contains('F'))
    );
    assert_eq!(here.len(), there["INBOX"].len());
    second_run_changes_nothing();
}

#[test]
fn client_offlineimap_second_run_changes_nothing() {
    if !has_program("offlineimap", "offlineimap3") {
        return;
    }
    let hub = Hub::start();
    seed(&hub, 12);
    let settings = configuration(
        &hub,
        "offlineimaprc",
        &format!(
            "[general]\naccounts = a\nui = basic\nmetadata = {home}/metadata\n[Account a]\nlocalrepository = here\n\
             remoterepository = there\n[Repository here]\ntype = Maildir\nlocalfolders = {home}/mail\n\
             [Repository there]\ntype = IMAP\nremotehost = localhost\nremoteport = {}\nremoteuser = {ALICE}\n\
             remotepass = {PASSWORD}\nssl = yes\nsslcacertfile = {}\n",
            hub.ports().imaps,
            hub.ports().ca.display(),
            home = hub.path("").display().to_string().trim_end_matches('/'),
        ),
    );
    let sync = || run(&hub, "offlineimap", &["-o", "-c", &settings], b"").expect_ok();
    sync();
    let inbox = hub.path("mail/INBOX");
    assert_eq!(maildir(&inbox).len(), 12);
    let (here, there) = (maildir(&inbox), state(&hub, &["INBOX", "Work"]));
    sync();
    assert_eq!((maildir(&inbox), state(&hub, &["INBOX", "Work"])), (here, there));
    let new = message("b@x.test", ALICE, "new here", "x\r\n");
    fs::write(inbox.join("new/1.local"), String::from_utf8(new).expect("UTF-8").replace("\r\n", "\n"))
        .expect("a message");
    sync();
    assert!(state(&hub, &["INBOX"])["INBOX"].contains_key("new here"));
}

#[test]
fn client_fetchmail_gets_each_message_once() {
    if !has_program("fetchmail", "fetchmail") {
        return;
    }
    let hub = Hub::start();
    seed(&hub, 8);
    let out = hub.path("fetched");
    fs::create_dir_all(&out).expect("a folder");
    let settings = configuration(
        &hub,
        "fetchmailrc",
        &format!(
            "poll localhost protocol imap port {} auth password user \"{ALICE}\" password \"{PASSWORD}\" ssl sslcertck \
             sslcertfile \"{}\" folder \"INBOX\" keep mda \"sh -c 'cat > {}/$(date +%s%N)'\"\n",
            hub.ports().imaps,
            hub.ports().ca.display(),
            out.display(),
        ),
    );
    let ids = hub.path("fetchids").display().to_string();
    let pid = hub.path("fetchmail.pid").display().to_string();
    let fetch = || run(&hub, "fetchmail", &["-f", &settings, "-i", &ids, "--pidfile", &pid], b"");
    fetch().expect_ok();
    assert_eq!(fs::read_dir(&out).expect("a folder").count(), 8);
    // fetchmail marks what it has taken as \Seen; the second time there is nothing (status 1).
    let again = fetch();
    assert!(!again.ok && again.text.contains("status: 1"), "{}", again.text);
    assert_eq!(fs::read_dir(&out).expect("a folder").count(), 8);
    assert!(state(&hub, &["INBOX"])["INBOX"].values().all(|flags| flags == &["\\Seen"]));
}

#[test]
fn client_getmail_gets_each_message_once() {
    if !has_program("getmail", "getmail6") {
        return;
    }
    let hub = Hub::start();
    seed(&hub, 8);
    let script = hub.path("deliver");
    fs::create_dir_all(hub.path("got")).expect("a folder");
    fs::write(&script, format!("#!/bin/sh\ncat > {}/$$.$(date +%s%N)\n", hub.path("got").display()))
        .expect("a script");
    let _ = Command::new("chmod").arg("755").arg(&script).status();
    let settings = configuration(
        &hub,
        "getmailrc",
        &format!(
            "[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = localhost\nport = {}\nusername = {ALICE}\n\
             password = {PASSWORD}\nca_certs = {}\nmailboxes = (\"INBOX\",)\n[destination]\ntype = MDA_external\n\
             path = {}\nallow_root_commands = true\n[options]\nread_all = false\ndelete = false\n",
            hub.ports().imaps,
            hub.ports().ca.display(),
            script.display(),
        ),
    );
    let home = hub.path("").display().to_string();
    let get = || run(&hub, "getmail", &["--rcfile", &settings, "--getmaildir", &home], b"").expect_ok();
    get();
    assert_eq!(fs::read_dir(hub.path("got")).expect("a folder").count(), 8);
    let again = get();
    assert!(again.contains(" 0 messages"), "{again}");
}
