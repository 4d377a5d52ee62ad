//! The same scripts over the same messages with us and with Debian's `sieve-test` (Dovecot's
//! Pigeonhole): the same actions must come out.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use hub_mime::{Part, Scanner};
use hub_sieve::{Action, Copied, EnvelopeField, Limits, Message, Surroundings, compile, run};

const FROM: &str = "sender@example.com";
const TO: &str = "bob+lists@example.net";

struct Sample {
    bytes: Vec<u8>,
    header: usize,
    parts: Vec<Part>,
}

impl Message for Sample {
    fn header(&self) -> &[u8] {
        &self.bytes[..self.header]
    }
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn parts(&self) -> &[Part] {
        &self.parts
    }
    fn read(&self, range: Range<u64>) -> Result<Cow<'_, [u8]>, String> {
        let end = (range.end as usize).min(self.bytes.len());
        Ok(Cow::Borrowed(&self.bytes[range.start as usize..end]))
    }
}

impl Surroundings for Sample {
    fn now(&self) -> i64 {
        0
    }
    fn envelope(&self, field: EnvelopeField) -> Option<String> {
        match field {
            EnvelopeField::Auth => None,
            EnvelopeField::From => Some(FROM.into()),
            EnvelopeField::To => Some(TO.into()),
        }
    }
    fn environment(&self, _: &str) -> Option<String> {
        None
    }
    fn mailbox_exists(&self, _: &str) -> bool {
        false
    }
    fn special_use_exists(&self, _: Option<&str>, _: &str) -> bool {
        false
    }
    fn is_duplicate(&self, _: &str) -> bool {
        false
    }
}

fn sample(text: &str) -> Sample {
    let bytes = text.as_bytes().to_vec();
    let mut scanner = Scanner::new();
    scanner.feed(&bytes);
    let summary = scanner.finish();
    Sample { bytes, header: summary.header_length as usize, parts: summary.parts }
}

fn stored(folder: &str, copied: &Copied) -> String {
    let flags: BTreeSet<String> = copied.flags.iter().map(|flag| flag.to_lowercase()).collect();
    format!("store {folder} {flags:?}")
}

/// Our actions, sorted; what is wrong with the script otherwise.
fn ours(script: &str, message: &Sample) -> Vec<String> {
    let limits = Limits::default();
    let Ok(program) = compile(script, &(), &limits) else { return vec!["not compiled".into()] };
    let Ok(outcome) = run(&program, message, message, &limits) else {
        return vec![stored("INBOX", &Copied::default())];
    };
    let mut actions: Vec<String> = outcome
        .actions
        .iter()
        .map(|action| match action {
            Action::FileInto(into) => stored(&into.mailbox, &into.copied),
            Action::Keep(copied) => stored("INBOX", copied),
            Action::Redirect { address, .. } => format!("redirect {address}"),
            Action::Reject { reason, .. } => format!("reject {reason}"),
            Action::Vacation(vacation) => format!("vacation {}", vacation.seconds),
        })
        .collect();
    actions.sort();
    actions
}

/// The other's actions, read from what it prints for people.
fn theirs(folder: &Path, script: &str, message: &Sample) -> Vec<String> {
    let (script_file, message_file) = (folder.join("script.sieve"), folder.join("message"));
    fs::write(&script_file, script).expect("written");
    fs::write(&message_file, &message.bytes).expect("written");
    let output = Command::new("sieve-test")
        .env("TZ", "UTC")
        .args([
            "-o",
            "mail_uid=65534",
            "-o",
            "mail_gid=65534",
            "-o",
            "postmaster_address=postmaster@example.net",
        ])
        .args(["-o", &format!("mail_home={}", folder.display())])
        .args(["-o", &format!("mail_location=maildir:{}/mail", folder.display())])
        .args(["-x", "+editheader +vacation-seconds"])
        .args(["-f", FROM, "-r", TO])
        .args([&script_file, &message_file])
        .output()
        .expect("start of sieve-test");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if text.contains("failed to compile") {
        return vec!["not compiled".into()];
    }
    let mut actions: Vec<String> = Vec::new();
    let mut folder = None;
    let mut flags = BTreeSet::new();
    let flush = |folder: &mut Option<String>, flags: &mut BTreeSet<String>, actions: &mut Vec<String>| {
        let flags = std::mem::take(flags);
        actions.extend(folder.take().map(|folder| format!("store {folder} {flags:?}")));
    };
    for line in text.lines() {
        let line = line.trim();
        if let Some(names) = line.strip_prefix("+ add IMAP flags: ") {
            flags.extend(names.split(' ').map(str::to_lowercase));
            continue;
        }
        if line.starts_with('*') {
            flush(&mut folder, &mut flags, &mut actions);
        }
        if let Some(name) = line.strip_prefix("* store message in folder: ") {
            folder = Some(name.to_owned());
        } else if let Some(address) = line.strip_prefix("* redirect message to: ") {
            actions.push(format!("redirect {}", address.trim_matches(['<', '>'])));
        } else if let Some(reason) = line.strip_prefix("* reject message with reason: ") {
            actions.push(format!("reject {reason}"));
        } else if let Some(seconds) = line.strip_prefix("=> seconds : ") {
            actions.push(format!("vacation {seconds}"));
        }
    }
    flush(&mut folder, &mut flags, &mut actions);
    assert!(!text.contains("Fatal"), "{text}\n{script}");
    actions.sort();
    actions
}

const REQUIRE: &str = "require [\"fileinto\", \"imap4flags\", \"copy\", \"variables\", \"envelope\", \"subaddress\", \
    \"relational\", \"comparator-i;ascii-numeric\", \"date\", \"index\", \"body\", \"regex\", \"editheader\", \"reject\", \
    \"vacation\", \"encoded-character\"];\n";

const MESSAGES: [&str; 4] = [
    "From: Alice Example <alice@example.org>\nTo: bob+lists@example.net, \"Carol, C.\" <carol@sub.example.net>\n\
     Cc: dave@example.com\nSubject: [list] Hello World\nDate: Mon, 20 Jul 2009 00:03:05 +0200\nX-Spam: 12\n\
     X-Spam: 7\nMessage-ID: <1@example.org>\n\nThe body says hello.\nSecond line.\n",
    "From: <>\nTo: undisclosed-recipients:;\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= \nX-Empty:\nX-Fold: one\n two\n\tthree\n\n\n",
    "Received: from a by b; Tue, 21 Jul 2009 10:00:00 +0000\nReceived: from c by d; Mon, 20 Jul 2009 09:00:00 -0500\n\
     From: bob@example.net\nTo: bob@example.net\nSubject: report\nContent-Type: multipart/alternative; boundary=\"b\"\n\n\
     pro\n--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nplain =FC text\n\
     --b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPGI+Ym9sZDwvYj4=\n--b--\nepi\n",
    "Subject:    \nSubject: second\nFrom: a@b.c (comment), d@e.f\nX-Num: 00012abc\n\nx\n",
];

/// What people write, and what the extensions' documents show. Without `date :index`, which Debian's
/// Pigeonhole does not heed (RFC 5260 §6).
const SCRIPTS: &[&str] = &[
    "keep;",
    "discard;",
    "discard; keep;",
    "fileinto \"A\"; fileinto \"A\"; fileinto \"B\";",
    "fileinto :copy \"A\";",
    "redirect \"x@example.com\"; redirect \"X Y <x@example.com>\";",
    "redirect :copy \"x@example.com\"; stop; discard;",
    "setflag [\"\\\\Seen\", \"a b\"]; removeflag \"a\"; addflag \"$c\"; fileinto \"F\"; keep;",
    "keep :flags \"\\\\Flagged\"; addflag \"x\"; fileinto :flags [\"y\"] \"G\";",
    "addflag \"v\" [\"a\", \"b a\"]; if hasflag \"v\" \"b\" { fileinto \"has\"; }",
    "if hasflag :contains \"x\" { discard; } else { addflag \"xyz\"; if hasflag :contains \"y\" { keep; } }",
    "if header :matches \"subject\" \"[*] *\" { fileinto \"lists.${1}\"; set \"rest\" \"${2}\"; } if string :is \"${rest}\" \"Hello World\" { addflag \"w\"; keep; }",
    "set :length \"n\" \"abc\"; set :upperfirst :lower \"m\" \"HELLO\"; fileinto \"${n}.${m}\";",
    "set \"a\" \"$\"; set \"b\" \"${a}{a}\"; fileinto \"x${b}\";",
    "if address :localpart \"from\" \"alice\" { fileinto \"alice\"; } elsif address :domain \"from\" \"example.net\" { fileinto \"net\"; } else { fileinto \"else\"; }",
    "if address :all :contains [\"to\", \"cc\"] [\"sub.\", \"dave\"] { fileinto \"hit\"; }",
    "if envelope :detail \"to\" \"lists\" { fileinto \"detail\"; }",
    "if envelope :user \"to\" \"bob\" { fileinto \"user\"; }",
    "if address :detail \"to\" \"lists\" { fileinto \"d\"; }",
    "if header :value \"ge\" :comparator \"i;ascii-numeric\" \"x-spam\" \"10\" { fileinto \"spam\"; }",
    "if header :count \"ge\" :comparator \"i;ascii-numeric\" [\"x-spam\", \"subject\"] \"3\" { fileinto \"three\"; }",
    "if address :count \"gt\" :comparator \"i;ascii-numeric\" \"to\" \"1\" { fileinto \"many\"; }",
    "if header :is :comparator \"i;ascii-numeric\" \"x-num\" \"12\" { fileinto \"twelve\"; }",
    "if header :index 2 \"x-spam\" \"7\" { fileinto \"second\"; }",
    "if header :index 1 :last :contains \"x-spam\" \"7\" { fileinto \"last\"; }",
    "if date :originalzone \"date\" \"hour\" \"00\" { fileinto \"original\"; }",
    "if date :zone \"+0000\" \"date\" \"date\" \"2009-07-19\" { fileinto \"utc\"; }",
    "if date :zone \"+0200\" \"received\" \"iso8601\" \"2009-07-21T12:00:00+02:00\" { fileinto \"iso\"; }",
    "if date :value \"ge\" \"received\" \"julian\" \"55000\" { fileinto \"j\"; } if date \"date\" \"weekday\" \"0\" { fileinto \"sun\"; }",
    "if body :text :contains \"HELLO\" { fileinto \"body\"; }",
    "if body :contains \"bold\" { fileinto \"bold\"; }",
    "if body :content \"text/plain\" :contains \"${unicode:fc}\" { fileinto \"umlaut\"; }",
    "if body :raw :contains \"PGI\" { fileinto \"raw\"; }",
    "if header :regex \"subject\" \"^\\\\[(l.*)\\\\] (H[a-z]+)\" { fileinto \"${1}.${2}\"; }",
    "if exists [\"x-empty\"] { fileinto \"empty\"; } if not exists \"x-none\" { fileinto \"none\"; }",
    "if header :is \"x-empty\" \"\" { fileinto \"isempty\"; } if header :contains \"x-none\" \"\" { fileinto \"no\"; }",
    "if header :is \"x-fold\" \"one two three\" { fileinto \"fold\"; }",
    "if header :is \"subject\" \"${unicode:47 72 fc df 65}\" { fileinto \"decoded\"; }",
    "if size :over 200 { fileinto \"big\"; } if size :under 1K { fileinto \"small\"; }",
    "if anyof (false, not true, header :contains \"subject\" \"report\") { fileinto \"any\"; }",
    "if allof (true, exists \"from\", not header :is \"from\" \"x\") { fileinto \"all\"; }",
    "addheader \"X-New\" \"yes\"; if header \"x-new\" \"yes\" { fileinto \"added\"; }",
    "deleteheader \"subject\"; if not exists \"subject\" { fileinto \"gone\"; }",
    "deleteheader :index 1 \"x-spam\"; if header \"x-spam\" \"12\" { fileinto \"still\"; } else { fileinto \"first\"; }",
    "deleteheader :matches \"x-spam\" \"1*\"; if header :count \"eq\" :comparator \"i;ascii-numeric\" \"x-spam\" \"1\" { fileinto \"one\"; }",
    "vacation :days 3 \"away\";",
    "vacation :handle \"h\" :subject \"s\" \"away\"; fileinto \"v\";",
    "reject \"no\";",
    "if header :matches \"subject\" \"*\" { if string :matches \"${0}\" \"*Hello*\" { fileinto \"in${2}\"; } }",
    "if header :contains \"subject\" [\"zzz\", \"LIST\"] { fileinto \"list\"; }",
    "if header :contains :comparator \"i;octet\" \"subject\" \"LIST\" { fileinto \"octet\"; } else { fileinto \"not\"; }",
    "if true { if true { if false { discard; } else { fileinto \"deep\"; } } }",
    "stop; fileinto \"never\";",
    "if header :is \"subject\" text:\n..dots\n.\n { discard; }",
    "/* c */ keep # end\n;",
    // Mistakes.
    "keep",
    "kep;",
    "if true keep;",
    "fileinto;",
    "fileinto \"a\" \"b\";",
    "if header \"a\" { keep; }",
    "if header :is :contains \"a\" \"b\" { keep; }",
    "if header :comparator \"i;nothing\" \"a\" \"b\" { keep; }",
    "if size 10 { keep; }",
    "else { keep; }",
    "redirect \"not an address\";",
    "require \"nothing\"; keep;",
    "keep; require \"fileinto\";",
    "if not (true) { keep; }",
    "if anyof true { keep; }",
    "set \"1a\" \"x\";",
    "if header :matches :comparator \"i;ascii-numeric\" \"a\" \"b\" { keep; }",
    "if header :last \"a\" \"b\" { keep; }",
    "vacation :days 1 :days 2 \"x\";",
    "fileinto :unknown \"a\";",
    "if string \"a\" 5 { keep; }",
    "keep {}",
    "stop \"x\";",
];

/// Small numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

fn test(random: &mut Random, depth: usize) -> String {
    let kinds = [
        ":is",
        ":contains",
        ":matches",
        ":value \"gt\"",
        ":regex",
        ":count \"ge\" :comparator \"i;ascii-numeric\"",
    ];
    let keys = [
        "\"*o*\"",
        "\"b\"",
        "\"\"",
        "[\"example.net\", \"?*l*\"]",
        "\"2\"",
        "\"[list] *\"",
        "\"a*c\"",
        "\"bob\"",
    ];
    let names = ["\"subject\"", "\"to\"", "[\"from\", \"cc\"]", "\"x-spam\"", "\"x-none\"", "\"received\""];
    let parts = [":all", ":localpart", ":domain", ":user", ":detail"];
    // What is a wildcard to one is a mistake to the other.
    let kind = random.of(&kinds);
    let key =
        if kind == ":regex" { random.of(&["\"b.*e\"", "\"^a\"", "\"(o|l)+\""]) } else { random.of(&keys) };
    match random.below(if depth > 2 { 5 } else { 8 }) {
        0 => format!("header {kind} {} {key}", random.of(&names)),
        1 => format!(
            "address {} {kind} {} {key}",
            random.of(&parts),
            random.of(&["\"from\"", "\"to\"", "[\"cc\", \"to\"]"])
        ),
        2 => format!("envelope {} {kind} {} {key}", random.of(&parts), random.of(&["\"from\"", "\"to\""])),
        3 => format!("exists {}", random.of(&names)),
        4 => format!("string {kind} [\"${{v}}\", \"${{1}}\"] {key}"),
        5 => format!("not {}", test(random, depth + 1)),
        6 => format!("anyof ({}, {})", test(random, depth + 1), test(random, depth + 1)),
        _ => format!("allof ({}, {})", test(random, depth + 1), test(random, depth + 1)),
    }
}

fn block(random: &mut Random, depth: usize) -> String {
    let mut out = String::new();
    for _ in 0..=random.below(3) {
        out += &match random.below(if depth > 2 { 7 } else { 9 }) {
            0 => "keep;\n".to_owned(),
            1 => format!("fileinto \"{}\";\n", random.of(&["A", "B", "x${1}", "y${v}"])),
            2 => format!("addflag \"{}\";\n", random.of(&["\\\\Seen", "$a", "b c"])),
            3 => format!(
                "set {} \"v\" \"{}\";\n",
                random.of(&["", ":upper", ":length", ":quotewildcard"]),
                random.of(&["a*", "${0}", "${1}-", "q"])
            ),
            4 => format!(
                "redirect {} \"{}@example.com\";\n",
                random.of(&["", ":copy"]),
                random.of(&["x", "y"])
            ),
            5 => format!("{}header \"X-Spam\"{};\n", random.of(&["add", "delete"]), " \"5\""),
            6 => {
                format!("{};\n", random.of(&["discard", "removeflag \"b\"", "stop", "fileinto :copy \"C\""]))
            }
            _ => format!(
                "if {} {{\n{}}} else {{\n{}}}\n",
                test(random, 0),
                block(random, depth + 1),
                block(random, depth + 1)
            ),
        };
    }
    out
}

#[test]
fn the_same_actions_as_pigeonhole() {
    if Command::new("sieve-test").arg("-h").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "sieve-test is not installed");
        eprintln!("SKIPPED: sieve-test is not installed (Debian's package dovecot-sieve)");
        return;
    }
    let folder = std::env::temp_dir().join(format!("sieve-oracle-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    // It works as another user than the one that starts it.
    #[cfg(unix)]
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("its folder");
    let messages: Vec<Sample> = MESSAGES.iter().map(|text| sample(&text.replace('\n', "\r\n"))).collect();
    let mut random = Random(5228);
    let generated: Vec<String> = (0..200).map(|_| block(&mut random, 0)).collect();
    let scripts = SCRIPTS.iter().map(|script| (*script).to_owned()).chain(generated);
    let mut different = Vec::new();
    for (number, script) in scripts.enumerate() {
        let script = format!("{REQUIRE}{script}");
        // Each by hand over all messages, each generated one over one.
        let chosen = if number < SCRIPTS.len() { 0..messages.len() } else { number % 4..number % 4 + 1 };
        for message in &messages[chosen] {
            let (ours, theirs) = (ours(&script, message), theirs(&folder, &script, message));
            if ours != theirs {
                let subject =
                    String::from_utf8_lossy(&message.bytes[..40.min(message.bytes.len())]).into_owned();
                different.push(format!(
                    "{}\n{subject:?}\n  ours   {ours:?}\n  theirs {theirs:?}",
                    &script[REQUIRE.len()..]
                ));
            }
        }
    }
    let _ = fs::remove_dir_all(&folder);
    assert!(different.is_empty(), "{} differ:\n\n{}", different.len(), different.join("\n\n"));
}
