//! What is offered, and when (RFC 9051 §6.1.1, §7.2.2). Nothing is announced that is not there.

use std::fmt::Write;

use hub_wire::sasl::ChannelBinding;

/// Before login the list is short, but says all that a client needs to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) logged_in: bool,
    /// Passwords may cross the connection.
    pub(crate) may_authenticate: bool,
    /// For SCRAM-SHA-256-PLUS.
    pub(crate) binding: Option<ChannelBinding>,
    /// STARTTLS is possible.
    pub(crate) start_tls: bool,
    /// COMPRESS is active already.
    pub(crate) compressed: bool,
    /// Largest message for APPEND, in bytes.
    pub(crate) append_limit: u64,
}

/// The capabilities as one line without the word CAPABILITY.
pub(crate) fn capabilities(offer: Offer) -> String {
    let mut line = String::from("IMAP4rev1 IMAP4rev2 SASL-IR ID ENABLE");
    if !offer.logged_in {
        // RFC 7888 §6: small literals without waiting are fine even from strangers.
        line.push_str(" LITERAL-");
        if offer.start_tls {
            line.push_str(" STARTTLS");
        }
        if offer.may_authenticate {
            for mechanism in hub_wire::sasl::mechanisms(offer.binding) {
                let _ = write!(line, " AUTH={mechanism}");
            }
        } else {
            line.push_str(" LOGINDISABLED");
        }
        return line;
    }
    line.push_str(
        " LITERAL+ IDLE NAMESPACE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS \
         UIDPLUS MOVE UNSELECT CONDSTORE QRESYNC ESEARCH SEARCHRES MULTIAPPEND WITHIN STATUS=SIZE \
         QUOTA QUOTA=RES-STORAGE OBJECTID METADATA LIST-METADATA LIST-MYRIGHTS NOTIFY",
    );
    line.push_str(" BINARY PREVIEW CATENATE REPLACE UTF8=ACCEPT");
    line.push_str(
        " SAVEDATE SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES PARTIAL INPROGRESS",
    );
    line.push_str(" CONTEXT=SEARCH CONTEXT=SORT");
    if !offer.compressed {
        line.push_str(" COMPRESS=DEFLATE");
    }
    let _ = write!(line, " APPENDLIMIT={}", offer.append_limit);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_on_plain_connections_cannot_log_in() {
        let offer = Offer {
            logged_in: false,
            may_authenticate: false,
            binding: None,
            start_tls: true,
            compressed: false,
            append_limit: 1,
        };
        assert_eq!(
            capabilities(offer),
            "IMAP4rev1 IMAP4rev2 SASL-IR ID ENABLE LITERAL- STARTTLS LOGINDISABLED"
        );
        let tls = Offer { may_authenticate: true, start_tls: false, ..offer };
        assert_eq!(
            capabilities(tls),
            "IMAP4rev1 IMAP4rev2 SASL-IR ID ENABLE LITERAL- AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 \
             AUTH=OAUTHBEARER AUTH=XOAUTH2"
        );
        let all = capabilities(Offer { logged_in: true, ..tls });
        assert!(all.ends_with(" APPENDLIMIT=1") && !all.contains("AUTH=") && !all.contains("  "), "{all}");
    }
}
