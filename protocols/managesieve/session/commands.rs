//! Commands (RFC 5804 §2) and the states that they may be given in.

use super::{Asked, Phase, Request, STRANGERS_ROOM, Session, Wish};
use crate::grammar::Word;
use crate::reply::{Reply, write_string};

impl Session {
    /// The capabilities, and OK: the greeting, and the answer to CAPABILITY (RFC 5804 §1.7).
    pub(super) fn greet(&mut self) {
        let mechanisms = match (self.link.may_authenticate, self.link.binding) {
            (false, _) => "",
            (true, None) => "PLAIN SCRAM-SHA-256 OAUTHBEARER XOAUTH2",
            (true, Some(_)) => "PLAIN SCRAM-SHA-256 OAUTHBEARER XOAUTH2 SCRAM-SHA-256-PLUS",
        };
        let extensions = hub::sieve_extensions().collect::<Vec<_>>().join(" ");
        let redirects = hub::SieveLimits::default().redirects.to_string();
        let mut lines = vec![
            ("IMPLEMENTATION", Some("Twin Hub")),
            ("SASL", Some(mechanisms)),
            ("SIEVE", Some(extensions.as_str())),
            ("MAXREDIRECTS", Some(redirects.as_str())),
            ("UNAUTHENTICATE", None),
            ("VERSION", Some("1.0")),
        ];
        if self.link.can_start_tls {
            lines.push(("STARTTLS", None));
        }
        if let Some(twin) = &self.twin {
            lines.push(("OWNER", Some(twin)));
        }
        for (name, value) in lines {
            write_string(&mut self.output, name);
            if let Some(value) = value {
                self.output.push(b' ');
                write_string(&mut self.output, value);
            }
            self.output.extend_from_slice(b"\r\n");
        }
        self.say(&Reply::ok(""));
    }

    pub(super) fn on_command(&mut self, words: Vec<Word>) -> Option<Request> {
        let mut words = words.into_iter();
        let name = match words.next() {
            Some(Word::Atom(name)) => name.to_ascii_uppercase(),
            _ => {
                self.refuse(&Reply::no("A command was expected"));
                return None;
            }
        };
        let arguments: Vec<Word> = words.collect();
        match (name.as_str(), &arguments[..]) {
            ("AUTHENTICATE", [Word::String(_)] | [Word::String(_), Word::String(_)]) => {
                self.authenticate(arguments)
            }
            ("CAPABILITY", []) => {
                self.greet();
                None
            }
            ("LOGOUT", []) => {
                self.say(&Reply::ok("Goodbye"));
                self.phase = Phase::Closing;
                None
            }
            ("NOOP", []) => {
                self.say(&Reply::ok("Done"));
                None
            }
            // RFC 5804 §2.13: the string comes back.
            ("NOOP", [Word::String(tag)]) => {
                let mut code = b"TAG ".to_vec();
                write_string(&mut code, &String::from_utf8_lossy(tag));
                let code = String::from_utf8(code).unwrap_or_default();
                self.say(&Reply::Ok { code: Some(code), text: "Done".into() });
                None
            }
            ("STARTTLS", []) => {
                self.start_tls();
                None
            }
            ("UNAUTHENTICATE", []) if self.twin.is_some() => {
                self.twin = None;
                self.is_stranger_again = true;
                self.reader.set_room(STRANGERS_ROOM);
                self.say(&Reply::ok("Logged out"));
                Some(Request::Leave)
            }
            _ => self.on_scripts(&name, arguments),
        }
    }

    fn authenticate(&mut self, arguments: Vec<Word>) -> Option<Request> {
        if self.twin.is_some() {
            self.refuse(&Reply::no("You are logged in already"));
            return None;
        }
        let mut strings = arguments.into_iter().filter_map(|word| match word {
            Word::String(bytes) => Some(bytes),
            Word::Atom(_) => None,
        });
        let mechanism = String::from_utf8_lossy(&strings.next().unwrap_or_default()).into_owned();
        self.on_authenticate(&mechanism, strings.next())
    }

    /// RFC 5804 §2.2.
    fn start_tls(&mut self) {
        if !self.link.can_start_tls || self.twin.is_some() {
            self.refuse(&Reply::no("STARTTLS is not possible now"));
            return;
        }
        self.say(&Reply::ok("Begin TLS now"));
        self.phase = Phase::StartTls;
    }

    fn on_scripts(&mut self, name: &str, arguments: Vec<Word>) -> Option<Request> {
        let wish = match wish(name, arguments) {
            Ok(wish) => wish,
            Err(reply) => {
                self.refuse(&reply);
                return None;
            }
        };
        if self.twin.is_none() {
            self.refuse(&Reply::no("Log in first"));
            return None;
        }
        self.mistakes = 0;
        self.ask(Asked::Done, Request::Scripts(wish))
    }
}

/// RFC 5804 §2.5 to §2.12.
fn wish(command: &str, arguments: Vec<Word>) -> Result<Wish, Reply> {
    let count = match command {
        "CHECKSCRIPT" | "DELETESCRIPT" | "GETSCRIPT" | "SETACTIVE" => 1,
        "HAVESPACE" | "PUTSCRIPT" | "RENAMESCRIPT" => 2,
        "LISTSCRIPTS" => 0,
        _ => return Err(Reply::no("There is no such command")),
    };
    if arguments.len() != count {
        return Err(Reply::no(&format!("{command} takes {count} arguments")));
    }
    let mut arguments = arguments.into_iter();
    let mut text = || match arguments.next() {
        Some(Word::String(bytes)) => {
            String::from_utf8(bytes).map_err(|_| Reply::no("Names and scripts are UTF-8"))
        }
        // The size of HAVESPACE.
        Some(Word::Atom(atom)) if command == "HAVESPACE" => Ok(atom),
        _ => Err(Reply::no("A string was expected")),
    };
    Ok(match command {
        "CHECKSCRIPT" => Wish::Check { text: text()? },
        "DELETESCRIPT" => Wish::Delete { name: text()? },
        "GETSCRIPT" => Wish::Get { name: text()? },
        "HAVESPACE" => {
            let (name, size) = (text()?, text()?);
            let size = size.parse().map_err(|_| Reply::no("HAVESPACE takes a name and a number"))?;
            Wish::HaveSpace { name, size }
        }
        "PUTSCRIPT" => Wish::Put { name: text()?, text: text()? },
        "RENAMESCRIPT" => Wish::Rename { from: text()?, to: text()? },
        // RFC 5804 §2.8: the empty name is none.
        "SETACTIVE" => Wish::Activate { name: Some(text()?).filter(|name| !name.is_empty()) },
        _ => Wish::List,
    })
}
