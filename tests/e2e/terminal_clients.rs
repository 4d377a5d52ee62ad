//! Clients for the terminal: neomutt and aerc, driven in tmux, looked at through the screen.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::clients::{configuration, run, seed, state};
use crate::harness::{ALICE, BOB, Hub, PASSWORD, PATIENCE, has_program, message, wait_until};

/// A terminal program in tmux, looked at through its screen.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start(hub: &Hub, command: &str) -> Self {
        let socket = hub.path("tmux").display().to_string();
        let started = Command::new("tmux")
            .args(["-S", &socket, "-f", "/dev/null", "new-session", "-d", "-x", "140", "-y", "50", command])
            .env("HOME", hub.path(""))
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("SSL_CERT_FILE", &hub.ports().ca)
            .env_remove("TMUX")
            .current_dir(hub.path(""))
            .status();
        assert!(started.is_ok_and(|status| status.success()), "tmux");
        Self { socket }
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("tmux").args(["-S", &self.socket]).args(arguments).stderr(Stdio::null()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Waits until the screen shows the text; sends nothing.
    #[track_caller]
    fn shows(&self, text: &str) {
        self.wait(text, true);
    }

    #[track_caller]
    fn hides(&self, text: &str) {
        self.wait(text, false);
    }

    #[track_caller]
    fn wait(&self, text: &str, shown: bool) {
        let started = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if screen.contains(text) == shown {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{text:?} shown: never {shown}:\n{screen}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn neomuttrc(hub: &Hub) -> String {
    let (ports, ca) = (hub.ports(), hub.ports().ca.display());
    let user = ALICE.replace('@', "%40");
    configuration(
        hub,
        "neomuttrc",
        &format!(
            "set folder=\"imaps://{user}@localhost:{}/\"\nset imap_user=\"{ALICE}\"\nset imap_pass=\"{PASSWORD}\"\n\
             set spoolfile=\"+INBOX\"\nset record=\"\"\nset smtp_url=\"smtp://{user}@localhost:{}/\"\n\
             set smtp_pass=\"{PASSWORD}\"\nset smtp_authenticators=\"plain\"\nset ssl_force_tls=yes\nset ssl_starttls=yes\n\
             set certificate_file=\"{ca}\"\nset ssl_ca_certificates_file=\"{ca}\"\nset from=\"{ALICE}\"\nset use_from=yes\n\
             set header_cache=\"\"\nset mark_old=no\nset sort=date\nset mail_check=2\nset timeout=2\nset delete=yes\nset quit=yes\n\
             set wait_key=no\n",
            ports.imaps, ports.submission,
        ),
    )
}

#[test]
fn client_neomutt_reads_flags_and_sees_new_mail() {
    if !has_program("neomutt", "neomutt") || !has_program("tmux", "tmux") {
        return;
    }
    let hub = Hub::start();
    seed(&hub, 6);
    let terminal = Terminal::start(&hub, &format!("neomutt -F {}", neomuttrc(&hub)));
    terminal.shows("Message 05");
    terminal.keys(&["/", "~s 'Message 03'", "Enter"]);
    terminal.keys(&["Enter"]);
    terminal.shows("Subject: Message 03");
    terminal.keys(&["i", "F", "$"]);
    wait_until("both flags on the server", || {
        let flags = &state(&hub, &["INBOX"])["INBOX"]["Message 03"];
        (flags == &["\\Flagged", "\\Seen"]).then_some(())
    });
    hub.deliver(ALICE, &message("a@x.test", ALICE, "While you look", "x\r\n"));
    terminal.keys(&["$"]);
    terminal.shows("While you look");
    terminal.keys(&["c"]);
    terminal.shows("Open mailbox");
    terminal.keys(&["C-u", "=Work", "Enter"]);
    terminal.shows("Work 2");
    // neomutt enables UTF8=ACCEPT wherever it can, and then knows names in UTF-8 only.
    let mut imap = hub.imap(ALICE);
    imap.ok("CREATE Gr&APwA3w-e");
    imap.append("Gr&APwA3w-e", "", &message("a@x.test", ALICE, "In UTF-8", "x\r\n"));
    terminal.keys(&["c"]);
    terminal.shows("Open mailbox");
    terminal.keys(&["C-u", "=Grüße", "Enter"]);
    terminal.shows("In UTF-8");
}

#[test]
fn client_neomutt_sends_with_attachment() {
    if !has_program("neomutt", "neomutt") {
        return;
    }
    let hub = Hub::start();
    let attachment: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    fs::write(hub.path("data.bin"), attachment).expect("a file");
    let settings = neomuttrc(&hub);
    let file = hub.path("data.bin").display().to_string();
    let arguments = ["-F", &settings, "-s", "neomutt sends", "-a", &file, "--", BOB];
    run(&hub, "neomutt", &arguments, "Hällo\n.\nFrom here\n".as_bytes()).expect_ok();
    hub.arrived(BOB, "neomutt sends");
    let mut imap = hub.imap(BOB);
    imap.ok("SELECT INBOX");
    let reply = imap.ok("FETCH 1 (BODYSTRUCTURE BODY.PEEK[1])");
    let structure = reply.fetched()[0].item("BODYSTRUCTURE").clone();
    assert_eq!(structure.list()[2].text().to_ascii_lowercase(), b"mixed", "{structure:?}");
    let text = String::from_utf8_lossy(reply.fetched()[0].item("BODY[1]").text()).into_owned();
    assert!(
        text.contains("\r\n.\r\nFrom here") || text.contains("=\r\n") || text.contains("From here"),
        "{text}"
    );
}

#[test]
fn client_aerc_lists_searches_and_changes_folder() {
    if !has_program("aerc", "aerc") || !has_program("tmux", "tmux") {
        return;
    }
    let hub = Hub::start();
    seed(&hub, 6);
    let (user, password) = (ALICE.replace('@', "%40"), PASSWORD.replace('/', "%2F").replace('+', "%2B"));
    configuration(
        &hub,
        ".config/aerc/accounts.conf",
        &format!(
            "[hub]\nsource = imaps://{user}:{password}@localhost:{}\noutgoing = smtp+plain://{user}:{password}@localhost:{}\n\
             smtp-starttls = yes\ndefault = INBOX\nfrom = Alice <{ALICE}>\ncopy-to = Sent\n",
            hub.ports().imaps,
            hub.ports().submission,
        ),
    );
    let terminal = Terminal::start(&hub, "aerc");
    terminal.shows("Message 03");
    terminal.keys(&[":view", "Enter"]);
    terminal.shows("Subject: Message 05");
    wait_until("\\Seen on the server", || {
        (state(&hub, &["INBOX"])["INBOX"]["Message 05"] == ["\\Seen"]).then_some(())
    });
    terminal.keys(&[":close", "Enter"]);
    terminal.shows("Message 03");
    terminal.keys(&[":filter Message 03", "Enter"]);
    terminal.hides("Message 04");
    terminal.keys(&[":cf Work", "Enter"]);
    terminal.shows("Work 2");
    terminal.keys(&[":quit", "Enter"]);
}
