//! One message to its recipients at one host: MAIL, RCPT, the text, and a verdict for each.

use hub::{Hub, QueuedMessage, QueuedRecipient};

use super::content::{Content, PIECE};
use super::{Client, DATA_TIME, END_TIME, MAIL_TIME, Reply, Stream, envelope};
use crate::outbound::next_hop::{Broken, Verdict};
use crate::stuffer::Stuffer;

/// Commands sent before their replies are read (RFC 2920): their replies fit into any socket buffer,
/// so that both sides never wait for each other to read.
const GROUP: usize = 50;
/// Recipients of one transaction. A host must take so many (RFC 5321 §4.5.3.1.8).
const RECIPIENTS: usize = 100;
/// Beyond this, BDAT is worth its replies: no dot has to be looked for, on either side.
const CHUNKED: u64 = 64 * 1024;
/// Bytes of one chunk; each costs one round trip.
const CHUNK: usize = 512 * 1024;

impl<S: Stream> Client<S> {
    /// Sends a message to all its recipients, in one transaction if the host takes so many. The
    /// verdicts are in the order of the recipients. After `Err` nothing is known to be delivered. Then,
    /// and when [`Client::is_usable`] says so, the connection is of no more use.
    pub(crate) async fn send(&mut self, hub: &Hub, message: &QueuedMessage) -> Result<Vec<Verdict>, Broken> {
        let content = match Content::prepare(hub, message, self.offers()).await? {
            Ok(content) => content,
            Err(verdict) => return Ok(vec![verdict; message.recipients.len()]),
        };
        let together = self.offers().recipients.unwrap_or(RECIPIENTS).min(RECIPIENTS);
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(message.recipients.len());
        for recipients in message.recipients.chunks(together) {
            match self.transact(message, &content, recipients).await {
                Ok(more) => verdicts.extend(more),
                Err(broken) if verdicts.is_empty() => return Err(broken),
                // What the transactions before have brought is true all the same. A reply that is late
                // would be taken for that to the next command.
                Err(Broken(why)) => {
                    self.is_over = true;
                    verdicts.resize(message.recipients.len(), Verdict::Deferred(why));
                    break;
                }
            }
        }
        Ok(verdicts)
    }

    async fn transact(
        &mut self,
        message: &QueuedMessage,
        content: &Content<'_>,
        recipients: &[QueuedRecipient],
    ) -> Result<Vec<Verdict>, Broken> {
        let chunked = self.offers().chunking && content.declared.size > CHUNKED;
        let mut commands = vec![envelope::mail(message, content.declared, self.offers())];
        commands.extend(recipients.iter().map(|recipient| envelope::rcpt(recipient, self.offers())));
        // RFC 2920 §3.1: DATA may be the last of a group.
        let with_data = self.offers().pipelining && !chunked && recipients.len() <= GROUP;
        if with_data {
            commands.push("DATA\r\n".to_owned());
        }
        let replies = self.commands(&commands).await?;
        let (mail, rest) = replies.split_first().ok_or_else(|| Broken("MAIL: no reply".into()))?;
        // It thinks that another message is under way. That is about the connection, not the message.
        if mail.code == 503 {
            return Err(Broken::at("MAIL", mail));
        }
        let mut verdicts: Vec<Option<Verdict>> = if mail.is_positive() {
            let replies = rest.iter().take(recipients.len());
            replies.map(|reply| (!reply.is_positive()).then(|| reply.refusal())).collect()
        } else {
            vec![Some(mail.refusal()); recipients.len()]
        };
        let go_ahead = rest.get(recipients.len()).filter(|_| with_data);
        if verdicts.iter().all(Option::is_some) {
            self.give_up(go_ahead).await;
        } else {
            let outcome = if chunked {
                self.send_chunks(content).await?
            } else {
                self.send_data(content, go_ahead).await?
            };
            for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_none()) {
                *verdict = Some(outcome.clone());
            }
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    /// Sends commands, together where the host allows it, and reads their replies. After a refused
    /// MAIL the others are spared.
    async fn commands(&mut self, commands: &[String]) -> Result<Vec<Reply>, Broken> {
        let size = if self.offers().pipelining { GROUP + 2 } else { 1 };
        let mut replies: Vec<Reply> = Vec::with_capacity(commands.len());
        for group in commands.chunks(size) {
            let phase = group.first().map_or("", |command| command.get(..4).unwrap_or_default());
            self.write(phase, group.concat().as_bytes()).await?;
            for command in group {
                let phase = command.get(..4).unwrap_or_default();
                replies.push(self.reply(phase, MAIL_TIME).await?);
            }
            if replies.first().is_some_and(|mail| !mail.is_positive()) {
                break;
            }
        }
        Ok(replies)
    }

    /// Nobody is left to send to. RFC 2920 §3.1: a host that wants the text all the same gets an empty
    /// one, and nothing of the message.
    async fn give_up(&mut self, go_ahead: Option<&Reply>) {
        let command = if go_ahead.is_some_and(|reply| reply.code == 354) { ".\r\n" } else { "RSET\r\n" };
        self.end(command).await;
    }

    /// Ends a transaction that has its verdicts. They stay what they are if the host hangs up now.
    async fn end(&mut self, command: &str) {
        self.is_over |= self.command(command, MAIL_TIME).await.is_err();
    }

    async fn send_data(
        &mut self,
        content: &Content<'_>,
        go_ahead: Option<&Reply>,
    ) -> Result<Verdict, Broken> {
        let go_ahead = match go_ahead {
            Some(reply) => reply.clone(),
            None => self.command("DATA\r\n", DATA_TIME).await?,
        };
        if go_ahead.code != 354 {
            // The recipients are still there for some, and the next MAIL would be one too many.
            self.end("RSET\r\n").await;
            return Ok(go_ahead.refusal());
        }
        let mut stuffer = Stuffer::for_data();
        let mut block = Vec::with_capacity(PIECE as usize + 1024);
        let mut at = 0;
        loop {
            let piece = content.piece(at).await?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            stuffer.push(&piece, &mut block);
            if let Err(broken) = self.write("sending the message", &block).await {
                return self.last_words(broken).await;
            }
            block.clear();
        }
        stuffer.finish(&mut block);
        self.write("sending the message", &block).await?;
        self.outcome("end of data").await
    }

    /// RFC 3030 §2: chunks of known length. What is in them has the same line ends as with DATA, so
    /// that a host that goes on with DATA sees no other end than ours.
    async fn send_chunks(&mut self, content: &Content<'_>) -> Result<Verdict, Broken> {
        let mut stuffer = Stuffer::for_chunks();
        let mut chunk = Vec::with_capacity(CHUNK + PIECE as usize);
        let mut at = 0;
        loop {
            let piece = content.piece(at).await?;
            at += piece.len() as u64;
            stuffer.push(&piece, &mut chunk);
            let is_last = at >= content.declared.size;
            if !is_last && chunk.len() < CHUNK {
                continue;
            }
            if is_last {
                std::mem::replace(&mut stuffer, Stuffer::for_chunks()).finish(&mut chunk);
            }
            let last = if is_last { " LAST" } else { "" };
            let command = format!("BDAT {}{last}\r\n", chunk.len());
            self.write("BDAT", command.as_bytes()).await?;
            if let Err(broken) = self.write("sending the message", &chunk).await {
                return self.last_words(broken).await;
            }
            if is_last {
                return self.outcome("end of data").await;
            }
            chunk.clear();
            let reply = self.reply("BDAT", END_TIME).await?;
            if !reply.is_positive() {
                self.end("RSET\r\n").await;
                return Ok(reply.refusal());
            }
        }
    }

    async fn outcome(&mut self, phase: &str) -> Result<Verdict, Broken> {
        let reply = self.reply(phase, END_TIME).await?;
        if reply.is_positive() { Ok(reply.delivered()) } else { Ok(reply.refusal()) }
    }

    /// A host that closes the connection in the middle of a message may have said why.
    async fn last_words(&mut self, broken: Broken) -> Result<Verdict, Broken> {
        match self.reply("sending the message", super::QUIT_TIME).await {
            Ok(reply) if !reply.is_positive() => {
                self.is_over = true;
                Ok(reply.refusal())
            }
            Ok(_) | Err(_) => Err(broken),
        }
    }
}
