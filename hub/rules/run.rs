//! One run of an account's rules over one message, and what follows from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hub_sieve::{Action, Context, Copied, FileInto, Limits, Outcome, RunError};

use super::Rules;
use super::letters;
use super::surroundings::{Around, Arriving};
use crate::decide::{Arrival, Keep};
use crate::{Account, AccountId, Error, Flags, Hub, Incoming, MailboxId, Result};

/// Runs at most, to look up what the duplicate test asks about.
const RUNS: usize = 8;
/// How long an error of a script is not told again.
const TROUBLE_SECONDS: i64 = 7 * 86_400;

/// Hashes, and when they expire.
pub(crate) type Notes = Vec<(Vec<u8>, i64)>;

/// What an account's rules want done with a message.
#[derive(Default)]
pub(crate) struct Ruled {
    pub(crate) keep: Vec<Keep>,
    /// Addresses to pass it on to, each with the message as the script made it.
    pub(crate) redirect: Vec<(String, Incoming, Vec<u8>)>,
    /// The script refuses the message, with this reason.
    pub(crate) refused: Option<String>,
    /// A message that answers the sender.
    pub(crate) answer: Option<Incoming>,
    /// A message to the twin itself.
    pub(crate) note: Option<Incoming>,
    /// To be noted in the commit that keeps the message: hashes and when they expire.
    pub(crate) seen: Notes,
}

impl Hub {
    /// Runs the rules. `keep` is what becomes of the message without them; whatever goes wrong with
    /// them, that is done (RFC 5228 §2.10.6).
    pub(crate) async fn follow(
        &self,
        rules: &Arc<Rules>,
        arrival: &Arrival<'_>,
        keep: Keep,
    ) -> Result<Ruled> {
        let (outcome, around) = match self.run_rules(rules, arrival).await? {
            Ok(done) => done,
            Err(error) => return self.in_trouble(rules, arrival.account, keep, &error).await,
        };
        let account = Account {
            hub: self.clone(),
            id: arrival.account,
            handle: rules.handle.clone(),
            hidden_capabilities: Arc::new([]),
            scopes: crate::Scopes::ALL,
        };
        let mut ruled = Ruled::default();
        for seen in &outcome.ids {
            let until = around.now.saturating_add(i64::try_from(seen.seconds).unwrap_or(i64::MAX));
            ruled.seen.push((hash(&["duplicate", &seen.id]), until));
        }
        let mut is_withheld = false;
        for action in outcome.actions {
            match action {
                Action::FileInto(into) => {
                    let mailbox = filed(&account, &around, &into).await?.unwrap_or(keep.mailbox);
                    ruled.keep.push(self.kept(&account, arrival, mailbox, into.copied).await?);
                }
                Action::Keep(copied) => {
                    ruled.keep.push(self.kept(&account, arrival, keep.mailbox, copied).await?);
                }
                // What does not seem to be from whom it says is not passed on, answered or refused: that
                // would be done to somebody else.
                Action::Redirect { .. } | Action::Reject { .. } | Action::Vacation(_)
                    if arrival.is_suspicious() =>
                {
                    is_withheld = true;
                }
                Action::Redirect { address, header } => {
                    let (incoming, prefix) = self.edited(arrival, header.as_deref()).await?;
                    ruled.redirect.push((address, incoming, prefix));
                }
                Action::Reject { reason, .. } => ruled.refused = Some(reason),
                // An answer would only tell the sender of junk that somebody is there.
                Action::Vacation(_) if arrival.is_junk => {}
                Action::Vacation(vacation) => self.answer(rules, arrival, &vacation, &mut ruled).await?,
            }
        }
        if is_withheld && ruled.keep.is_empty() {
            ruled.keep.push(keep);
        }
        Ok(ruled)
    }

    /// Runs the program, again whenever it asked about ids that had to be looked up.
    async fn run_rules(
        &self,
        rules: &Arc<Rules>,
        arrival: &Arrival<'_>,
    ) -> Result<Result<(Outcome, Around), RunError>> {
        let not_run = |what: &str| Ok(Err(RunError { line: 1, what: what.to_owned() }));
        if rules.program.is_none() {
            return not_run("the script does not compile any more");
        }
        let summary = &arrival.incoming.summary;
        if summary.header_length > Limits::default().header as u64 {
            return not_run("the header of the message is too large to look at");
        }
        let header = [arrival.prefix, &arrival.incoming.header()?].concat();
        let size = arrival.prefix.len() as u64 + arrival.incoming.blob.size();
        let (blob, summary) = (Arc::clone(&arrival.incoming.blob), Arc::clone(summary));
        let mut message = Arriving { header, blob, summary, size };
        let directory = self.0.directories.get(&self.0.storage, arrival.account).await?;
        let mut known = HashMap::new();
        for _ in 0..RUNS {
            let mut around = arrival.around(Arc::clone(&directory), std::mem::take(&mut known));
            let rules = Arc::clone(rules);
            let run = move || {
                let program = rules.program.as_ref().ok_or_else(|| RunError { line: 1, what: String::new() });
                let outcome = program
                    .and_then(|program| hub_sieve::run(program, &message, &around, &Limits::default()));
                (outcome, message, around)
            };
            // A script may use up all its steps, and one that looks into a large message waits for the disk.
            let done;
            (done, message, around) = crate::apart(run).await?;
            let asked = std::mem::take(&mut *crate::locked(&around.asked));
            if asked.is_empty() {
                return Ok(done.map(|outcome| (outcome, around)));
            }
            known = std::mem::take(&mut around.known);
            known.extend(self.look_up(arrival.account, asked, around.now).await?);
        }
        not_run("the script looks for too many ids")
    }

    async fn look_up(
        &self,
        account: AccountId,
        asked: HashSet<String>,
        now: i64,
    ) -> Result<Vec<(String, bool)>> {
        let ids: Vec<(String, Vec<u8>)> = asked
            .into_iter()
            .map(|id| (hash(&["duplicate", &id]), id))
            .map(|(hash, id)| (id, hash))
            .collect();
        let hashes: Vec<Vec<u8>> = ids.iter().map(|(_, hash)| hash.clone()).collect();
        let seen = self.0.storage.seen(account, &hashes, now).await?;
        Ok(ids.into_iter().map(|(id, hash)| (id, seen.contains(&hash))).collect())
    }

    /// How the message is kept in a mailbox.
    async fn kept(
        &self,
        account: &Account,
        arrival: &Arrival<'_>,
        mailbox: MailboxId,
        copied: Copied,
    ) -> Result<Keep> {
        let flags = flags(account, &copied.flags).await?;
        let (incoming, prefix) = self.edited(arrival, copied.header.as_deref()).await?;
        Ok(Keep { mailbox, flags, incoming, prefix })
    }

    /// The message with the header that the script has made; without one, as it arrived.
    async fn edited(&self, arrival: &Arrival<'_>, header: Option<&[u8]>) -> Result<(Incoming, Vec<u8>)> {
        let Some(header) = header else {
            return Ok((arrival.incoming.clone(), arrival.prefix.to_vec()));
        };
        let mut spool = self.spool();
        spool.write(header).await?;
        let mut body = arrival.incoming.body();
        loop {
            let (piece, rest) = match arrival.incoming.blob.in_memory() {
                Some(_) => (body.next(), body),
                None => crate::apart(move || (body.next(), body)).await?,
            };
            body = rest;
            let Some(piece) = piece else { break };
            spool.write(&piece.map_err(crate::keys::unreadable)?).await?;
        }
        // All that the hub put in front is part of the header that the script saw.
        Ok((self.examine(spool).await?, Vec::new()))
    }

    /// RFC 5230 §4: an answer, unless the sender had one within the time that the script gives.
    async fn answer(
        &self,
        rules: &Rules,
        arrival: &Arrival<'_>,
        vacation: &hub_sieve::Vacation,
        ruled: &mut Ruled,
    ) -> Result<()> {
        let Some(sender) = arrival.reverse_path else { return Ok(()) };
        let now = crate::unix_now();
        let key = hash(&["vacation", &vacation.handle, &sender.key()]);
        if !self.0.storage.seen(arrival.account, std::slice::from_ref(&key), now).await?.is_empty() {
            return Ok(());
        }
        let mut vacation = vacation.clone();
        // A script must not write in the name of others.
        let is_own = |from: &String| {
            let address = from.rsplit_once('<').map_or(from.as_str(), |(_, rest)| rest.trim_end_matches('>'));
            rules.addresses.iter().any(|own| own.eq_ignore_ascii_case(address.trim()))
        };
        vacation.from = vacation.from.filter(is_own);
        let unique = blake3::Hash::from_slice(&key).map(|hash| hash.to_hex()).unwrap_or_default();
        let message_id = format!("{now:x}.{}@{}", &unique[..16], rules.handle.domain());
        let context = Context {
            sender: &sender.to_string(),
            recipient: &arrival.address.to_string(),
            own: &rules.addresses,
            now,
            message_id: &message_id,
        };
        let header = [arrival.prefix, &arrival.incoming.header()?].concat();
        let Some(answer) = hub_sieve::answer(&vacation, &header, &context) else { return Ok(()) };
        let mut spool = self.spool();
        spool.write(&answer).await?;
        ruled.answer = Some(self.examine(spool).await?);
        ruled.seen.push((key, now.saturating_add(i64::try_from(vacation.seconds).unwrap_or(i64::MAX))));
        Ok(())
    }

    /// The message is kept, and the twin told, once.
    async fn in_trouble(
        &self,
        rules: &Rules,
        account: AccountId,
        keep: Keep,
        error: &RunError,
    ) -> Result<Ruled> {
        tracing::warn!(twin = %rules.handle, %error, "the rules of a twin stopped; the message is kept");
        let mut ruled = Ruled { keep: vec![keep], ..Ruled::default() };
        let now = crate::unix_now();
        let key = hash(&["trouble", &error.to_string()]);
        if self.0.storage.seen(account, std::slice::from_ref(&key), now).await?.is_empty() {
            let mut spool = self.spool();
            spool.write(letters::trouble(&rules.handle, &error.to_string(), now).as_bytes()).await?;
            ruled.note = Some(self.examine(spool).await?);
            ruled.seen.push((key, now + TROUBLE_SECONDS));
        }
        Ok(ruled)
    }
}

/// The mailbox to file into; `None` if there is none and it is not to be made.
async fn filed(account: &Account, around: &Around, into: &FileInto) -> Result<Option<MailboxId>> {
    let special = into.special_use.as_deref().and_then(|special_use| around.with_special_use(special_use));
    if let Some(mailbox) = special.or_else(|| around.mailbox(&into.mailbox)) {
        return Ok(Some(mailbox));
    }
    if into.create {
        match account.messages().create(&into.mailbox, None).await {
            Ok(info) => return Ok(Some(info.id)),
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(_) => {}
        }
    }
    tracing::info!(twin = %account.handle, mailbox = into.mailbox, "there is no such mailbox to file into");
    Ok(None)
}

/// The flags of these names. Keywords beyond what an account can have are left out.
async fn flags(account: &Account, names: &[String]) -> Result<Flags> {
    let mut flags = Flags::NONE;
    let mut keywords = Vec::new();
    for name in names {
        match name.to_ascii_lowercase().as_str() {
            "\\answered" => flags = flags | Flags::ANSWERED,
            "\\deleted" => flags = flags | Flags::DELETED,
            "\\draft" => flags = flags | Flags::DRAFT,
            "\\flagged" => flags = flags | Flags::FLAGGED,
            "\\seen" => flags = flags | Flags::SEEN,
            _ => keywords.push(name.as_str()),
        }
    }
    if keywords.is_empty() {
        return Ok(flags);
    }
    match account.messages().keyword_flags(&keywords, true).await {
        Ok(more) => Ok(flags | more),
        Err(Error::Limit(_)) => Ok(flags | account.messages().keyword_flags(&keywords, false).await?),
        Err(error) => Err(error),
    }
}

/// One hash of several texts.
fn hash(texts: &[&str]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    hasher.finalize().as_bytes().to_vec()
}
