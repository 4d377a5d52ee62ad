//! Arguments and their help.

mod calendars;
mod files;
pub(crate) mod identity;
pub(crate) mod phonebook;
mod queue;
pub(crate) mod room;
pub(crate) mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hub::schedule::FreeBusyAccess;
use hub_config::{Database, LogFormat, Quota};

pub(crate) use calendars::{CalendarRight, Calendars, Which};
pub(crate) use files::{Files, Link, Right};
pub(crate) use queue::{Queue, QueueChoice, QueueNames};

#[derive(Parser)]
#[command(name = "twinhub", version, about = "Hosts twins: mail now, agenda, contacts and files later.", after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
To begin:
  twinhub serve                          start the hub; it says what to do next
  twinhub domain add example.org         in another terminal, while it runs
  twinhub twin add alice@example.org     makes a password and shows it

Every command explains itself: twinhub twin add --help";

#[derive(Args, Clone)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Folder with everything this hub keeps [default: ~/.local/share/twinhub; for root
    /// /var/lib/twinhub]
    #[arg(long, global = true, env = "TWINHUB_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// "sqlite", or postgres://USER@HOST/NAME [default: as in the configuration, else sqlite]
    #[arg(long, global = true, env = "TWINHUB_DATABASE", value_name = "URL", hide_env_values = true, value_parser = database)]
    pub(crate) database: Option<Database>,
    /// Configuration file [default: hub.toml in the data directory, if there is one]
    #[arg(long, global = true, env = "TWINHUB_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Log format on standard error: "text" or "json"
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) log: Option<LogFormat>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the hub until SIGTERM or Ctrl-C
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Add, list, change and remove twins (the people who live here)
    #[command(subcommand, visible_alias = "twins")]
    Twin(Twin),
    /// Add and list the mail domains of this hub
    #[command(subcommand, visible_alias = "domains")]
    Domain(Domain),
    /// More addresses for a twin
    #[command(subcommand, visible_alias = "aliases")]
    Alias(Alias),
    /// Rooms and other things that can be reserved
    #[command(subcommand, visible_alias = "rooms")]
    Room(room::Room),
    /// Passwords for single devices, to be revoked one by one
    #[command(subcommand)]
    AppPassword(AppPassword),
    /// Programs that twins have let in by OAuth
    #[command(subcommand, visible_alias = "tokens")]
    Token(token::Token),
    /// Bring mail, calendars and contacts here from another server or from files
    ///
    /// Everything comes once: an import that was cut off goes on where it stopped, and a second one
    /// brings only what is new. It works while the hub runs.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Write a twin's mail to mbox files or a Maildir, its calendars and contacts to files
    #[command(after_help = "\
Example:
  twinhub export --twin alice@example.org --format maildir alice-mail
  twinhub export --twin alice@example.org --format ics alice-calendars")]
    Export(Export),
    /// A twin's rules about its mail (Sieve); twins keep them with ManageSieve themselves
    #[command(subcommand)]
    Sieve(Sieve),
    /// Share a twin's files with other twins, and by links
    #[command(subcommand)]
    Files(Files),
    /// Share a twin's calendars and address books with other twins
    #[command(subcommand)]
    Calendars(Calendars),
    /// Who the twins of other hubs are
    ///
    /// Only the hub that runs asks others.
    #[command(subcommand)]
    Phonebook(phonebook::Phonebook),
    /// Mail that waits to leave this hub
    #[command(subcommand)]
    Queue(Queue),
    /// What a twin's junk filter has learned
    #[command(subcommand)]
    Junk(Junk),
    /// What others report about mail that claims a domain of this hub
    #[command(subcommand)]
    Reports(Reports),
    /// Say what is wrong with configuration, data, certificates and DNS
    ///
    /// Changes nothing. Ends with status 1 if something is wrong; warnings alone end with 0.
    #[command(after_help = "Examples:\n  twinhub check\n  twinhub check example.org")]
    Check {
        /// Only what DNS says of this domain
        domain: Option<String>,
    },
    /// Print the DNS records that a domain needs, as lines of a zone file
    ///
    /// Nothing is looked up; `twinhub check` says which of them are there.
    #[command(after_help = "Example:\n  twinhub dns example.org")]
    Dns { domain: String },
    /// Print the text of a document on standard input, as searches see it; the hub runs this itself
    #[command(hide = true)]
    DocumentText,
    /// Print the commented reference of hub.toml: every setting with its default
    #[command(after_help = "Example:\n  twinhub config > hub.toml")]
    Config,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  twinhub import imaps://alice@old.example.net/ --to alice@example.org
  twinhub import imap://alice@old.example.net:143/ --to alice@example.org
  twinhub import mbox old.mbox --to alice@example.org --mailbox Archive/old
  twinhub import maildir ~/Maildir --to alice@example.org
  twinhub import caldav://alice@dav.example.net/ --to alice@example.org
  twinhub import carddav://alice@dav.example.net/ --to alice@example.org
  twinhub import ics work.ics --to alice@example.org --collection work
  twinhub import vcf contacts.vcf --to alice@example.org

The password of the other server is asked for. Its mailboxes come with their flags and dates; those for
sent mail, drafts, junk and trash go into their counterparts here.";

#[derive(Args)]
pub(crate) struct Import {
    /// imaps://USER@HOST/, imap://USER@HOST/ (STARTTLS), caldav://USER@HOST/ or carddav://USER@HOST/, with
    /// :PORT if needed; "mbox", "maildir", "ics" or "vcf"
    pub(crate) source: String,
    /// The file or folder, for mbox, maildir, ics and vcf
    pub(crate) path: Option<PathBuf>,
    /// The twin that gets it
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: String,
    /// Where an mbox file, or the top of a Maildir, goes
    #[arg(long, value_name = "MAILBOX", default_value = "INBOX")]
    pub(crate) mailbox: String,
    /// The calendar or address book that an ics or vcf file goes to (default: those that every twin has)
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
    /// Read the other server's password from the first line of standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Args)]
pub(crate) struct Export {
    /// Whose mail, calendars or contacts
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) twin: String,
    #[arg(long)]
    pub(crate) format: Format,
    /// Folder to write to; made, and must be empty
    pub(crate) folder: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// One file per calendar (iCalendar)
    Ics,
    /// A Maildir with subfolders, every message byte for byte
    Maildir,
    /// One file per mailbox, lines as Unix has them (mboxrd)
    Mbox,
    /// One file per address book (vCard)
    Vcf,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  twinhub serve --first-twin alice@example.org
  twinhub serve --data-dir /srv/hub --log json
  twinhub serve --database postgres://hub@localhost/hub

SIGTERM and Ctrl-C let connections finish for a few seconds; SIGHUP reads certificates again,
and orders what is missing.";

#[derive(Args)]
pub(crate) struct Serve {
    /// Listen on free loopback ports instead of the configured ones (for scripts and tests)
    #[arg(long)]
    pub(crate) ephemeral_ports: bool,
    /// Once everything listens, write the addresses to this file as a JSON object
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// If nobody lives here yet: host the address's domain, make this twin and show its password once
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) first_twin: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Twin {
    /// Make a twin; the password is asked for, or made up and shown once
    #[command(after_help = "\
Examples:
  twinhub twin add alice@example.org
  pass show alice | twinhub twin add alice@example.org --password-stdin")]
    Add {
        /// The twin's name and mail address; its domain must be hosted here (twinhub domain add)
        address: String,
        #[command(flatten)]
        password: Password,
    },
    /// Show or change which IMAP capabilities are kept from a twin's mail programs
    #[command(after_help = "\
Hidden capabilities are not announced after log-in, and their commands are refused: a cure for a mail
program that uses one of them wrongly. It holds for connections that log in from then on.
Examples:
  twinhub twin capabilities alice@example.org
  twinhub twin capabilities alice@example.org --hide COMPRESS=DEFLATE,NOTIFY
  twinhub twin capabilities alice@example.org --show-all")]
    Capabilities {
        address: String,
        /// Hide exactly these
        #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "show_all")]
        hide: Option<Vec<String>>,
        /// Hide none
        #[arg(long)]
        show_all: bool,
    },
    /// Show or change who may ask when a twin is busy
    #[command(after_help = "\
What a twin does, and where, is told to nobody. Calendars that are set to take no time are never counted.
Examples:
  twinhub twin free-busy alice@example.org
  twinhub twin free-busy alice@example.org known      # whom alice has written to")]
    FreeBusy {
        address: String,
        /// everybody (of this hub), known or nobody
        #[arg(value_parser = free_busy)]
        who: Option<FreeBusyAccess>,
    },
    #[command(flatten)]
    Identity(identity::Identity),
    /// Show all twins with their addresses and quota
    List {
        #[command(flatten)]
        list: List,
    },
    /// Change a twin's password
    Passwd {
        address: String,
        #[command(flatten)]
        password: Password,
    },
    /// Change how much a twin may store
    #[command(
        after_help = "Examples:\n  twinhub twin quota alice@example.org 10GiB\n  twinhub twin quota alice@example.org unlimited"
    )]
    Quota {
        address: String,
        /// A size such as 10GiB, or "unlimited"
        #[arg(value_parser = quota)]
        limit: Quota,
    },
    /// Remove a twin with all its mail; there is no way back
    Remove {
        address: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct Password {
    /// Read the password from the first line of standard input
    #[arg(long, conflicts_with = "generate")]
    pub(crate) password_stdin: bool,
    /// Make a password up and show it, without asking
    #[arg(long)]
    pub(crate) generate: bool,
}

#[derive(Args)]
#[group(skip)]
pub(crate) struct List {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Domain {
    /// Host a domain: mail for its twins is accepted from now on
    #[command(after_help = "Example:\n  twinhub domain add example.org")]
    Add { name: String },
    /// Show the keys that sign a domain's mail (DKIM)
    Keys {
        name: String,
        #[command(flatten)]
        list: List,
    },
    /// Show the domains of this hub
    List {
        #[command(flatten)]
        list: List,
    },
    /// Make new keys to sign a domain's mail with (DKIM)
    ///
    /// They take over two hours after DNS has them; `twinhub dns` prints the records. The old ones
    /// stay published for a week.
    #[command(after_help = "Example:\n  twinhub domain rotate-keys example.org")]
    RotateKeys { name: String },
}

#[derive(Subcommand)]
pub(crate) enum Reports {
    /// DMARC: how many messages passed and failed at whom, in the last year
    Dmarc {
        #[command(flatten)]
        list: List,
    },
    /// TLS: how many connections of others to this hub were and were not as it asks for, in the last year
    Tls {
        /// Only about this domain
        domain: Option<String>,
        #[command(flatten)]
        list: List,
    },
}

#[derive(Subcommand)]
pub(crate) enum Sieve {
    /// Take a script into use, in the place of the one before
    Activate {
        address: String,
        #[arg(required_unless_present = "none")]
        name: Option<String>,
        /// Use none
        #[arg(long)]
        none: bool,
    },
    /// Say what is wrong with a script, without keeping it
    Check {
        address: String,
        /// "-" is standard input
        file: PathBuf,
    },
    /// Print a script
    Get { address: String, name: String },
    /// Show a twin's scripts
    List {
        address: String,
        #[command(flatten)]
        list: List,
    },
    /// Keep a script
    #[command(after_help = "Example:\n  twinhub sieve put alice@example.org main rules.sieve")]
    Put {
        address: String,
        name: String,
        /// "-" is standard input
        file: PathBuf,
    },
    /// Remove a script that is not in use
    Remove { address: String, name: String },
}

#[derive(Subcommand)]
pub(crate) enum Alias {
    /// Give a twin another address, for receiving and sending, or pass mail on to an address elsewhere
    #[command(
        after_help = "Examples:\n  twinhub alias add info@example.org alice@example.org\n  twinhub alias add sales@example.org someone@else.net      # passed on; add more for more\n  twinhub alias add '*@example.org' alice@example.org       # what nobody else has"
    )]
    Add {
        /// The new address; it may lead to several others
        alias: String,
        /// Who gets its mail: a twin, another alias, or an address elsewhere
        address: String,
    },
    /// Show all aliases, or those of one address
    List {
        /// An alias, or whom it leads to
        address: Option<String>,
        #[command(flatten)]
        list: List,
    },
    /// Let mail for an alias not go to an address any more
    Remove { alias: String, address: String },
}

#[derive(Subcommand)]
pub(crate) enum AppPassword {
    /// Make a password for one device or program; it is shown once
    #[command(after_help = "\
Examples:
  twinhub app-password add alice@example.org \"Alice's phone\"
  twinhub app-password add alice@example.org scanner --door submission")]
    Add {
        address: String,
        /// What it is for
        name: String,
        /// What it opens: imap, submission, dav or api; several are possible [default: all]
        #[arg(long = "door", value_name = "DOOR", value_parser = door)]
        doors: Vec<hub::Door>,
    },
    /// Show a twin's app passwords (not the passwords themselves)
    List {
        address: String,
        #[command(flatten)]
        list: List,
    },
    /// Make an app password worthless
    #[command(after_help = "Example:\n  twinhub app-password revoke alice@example.org 3")]
    Revoke {
        address: String,
        /// The number that `app-password list` shows
        id: i64,
    },
}

#[derive(Subcommand)]
pub(crate) enum Junk {
    /// Count the messages, words and senders that it knows
    #[command(after_help = "Example:\n  twinhub junk stats alice@example.org")]
    Stats { address: String },
}

fn database(text: &str) -> Result<Database, &'static str> {
    Database::parse(text).ok_or("expected \"sqlite\" or a URL postgres://USER@HOST/NAME")
}

fn quota(text: &str) -> Result<Quota, &'static str> {
    Quota::parse(text).ok_or("expected a size such as 10GiB, or \"unlimited\"")
}

fn free_busy(text: &str) -> Result<FreeBusyAccess, &'static str> {
    let mut all = FreeBusyAccess::ALL.into_iter();
    all.find(|access| access.name() == text).ok_or("expected everybody, known or nobody")
}

fn door(text: &str) -> Result<hub::Door, &'static str> {
    hub::Door::from_name(text).ok_or("expected imap, submission, dav or api")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use hub_config::Size;

    fn parse(arguments: &str) -> Result<Cli, String> {
        Cli::try_parse_from(std::iter::once("twinhub").chain(arguments.split_whitespace()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_and_after_the_command() {
        for arguments in [
            "--data-dir /d --database postgres://h/n --log json --config c.toml twin list",
            "twin list --data-dir /d --database postgres://h/n --log json --config c.toml",
            "twin --data-dir /d --log json list --database postgres://h/n --config c.toml",
        ] {
            let Global { data_dir, database, config, log } = parse(arguments).expect(arguments).global;
            assert_eq!(data_dir, Some("/d".into()), "{arguments}");
            assert_eq!(database, Some(Database::Postgres("postgres://h/n".into())), "{arguments}");
            assert_eq!(config, Some("c.toml".into()), "{arguments}");
            assert_eq!(log, Some(LogFormat::Json), "{arguments}");
        }
    }

    #[test]
    fn commands() {
        for arguments in [
            "serve",
            "serve --ephemeral-ports --ready-file r.json",
            "twin add a@b.test --password-stdin",
            "twin add a@b.test --generate",
            "twin passwd a@b.test",
            "twin remove a@b.test --yes",
            "twins list --json",
            "domain add b.test",
            "domain list",
            "alias add i@b.test a@b.test",
            "alias list",
            "alias list a@b.test --json",
            "alias remove i@b.test a@b.test",
            "app-password add a@b.test phone --door imap --door submission",
            "app-password revoke a@b.test 3",
            "token revoke a@b.test 3",
            "twin capabilities a@b.test",
            "twin capabilities a@b.test --hide COMPRESS=DEFLATE,NOTIFY",
            "twin capabilities a@b.test --show-all",
            "queue list",
            "queue list --domain b.test --sender <> --json",
            "queue show 12",
            "queue retry 12 13",
            "queue hold --domain b.test",
            "queue release --all",
            "queue delete 12 --recipient x@b.test --yes",
            "check",
            "config",
            "dns b.test",
            "import imaps://a@old.test/ --to a@b.test --password-stdin",
            "import mbox x.mbox --to a@b.test --mailbox Old",
            "import ics x.ics --to a@b.test --collection work",
            "export --twin a@b.test --format vcf x",
            "export --twin a@b.test --format mbox out",
        ] {
            assert!(parse(arguments).is_ok(), "{arguments}");
        }
        let Ok(Cli { command: Command::Twin(Twin::Quota { limit, .. }), .. }) =
            parse("twin quota a@b.test 10GiB")
        else {
            panic!("a quota command")
        };
        assert_eq!(limit, Quota(Some(Size(10 << 30))));
    }

    #[test]
    fn mistakes_are_explained() {
        for (arguments, expected) in [
            ("", "Usage"),
            ("twin", "Usage"),
            ("twin ad a@b.test", "add"),
            ("twin quota a@b.test lots", "expected a size"),
            ("twin capabilities a@b.test --hide X --show-all", "cannot be used with"),
            ("twin add a@b.test --generate --password-stdin", "cannot be used with"),
            ("app-password add a@b.test x --door pop", "expected imap"),
            ("serve --database mysql://x", "expected \"sqlite\""),
            ("queue delete --yes", "required"),
            ("queue retry 1 --all", "cannot be used with"),
            ("serve --log xml", "expected \"text\" or \"json\""),
        ] {
            let error = parse(arguments).err().expect(arguments);
            assert!(error.contains(expected), "{arguments}: {error}");
        }
    }
}
