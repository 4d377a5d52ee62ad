-- Who a twin writes as (RFC 8621 §6). 0 is the one of its handle, which is always there. Lists of addresses
-- are lines of address, tab, name.
CREATE TABLE identity (
    account        INTEGER NOT NULL,
    id             INTEGER NOT NULL,
    name           TEXT NOT NULL,
    email          TEXT NOT NULL,
    reply_to       TEXT NOT NULL,
    bcc            TEXT NOT NULL,
    text_signature TEXT NOT NULL,
    html_signature TEXT NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;

-- What was sent through the API (RFC 8621 §7). queued: the message in the queue, 0 if there is none.
CREATE TABLE submission (
    account   INTEGER NOT NULL,
    id        INTEGER NOT NULL,
    identity  INTEGER NOT NULL,
    email     INTEGER NOT NULL,
    thread    INTEGER NOT NULL,
    queued    INTEGER NOT NULL,
    canceled  INTEGER NOT NULL,
    sent_at   INTEGER NOT NULL,
    mail_from TEXT NOT NULL,
    local     TEXT NOT NULL,
    remote    TEXT NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;

-- The answer while away (RFC 8621 §8). Times are Unix seconds, 0 for none.
CREATE TABLE vacation (
    account    INTEGER NOT NULL PRIMARY KEY,
    is_enabled INTEGER NOT NULL,
    from_at    INTEGER NOT NULL,
    until_at   INTEGER NOT NULL,
    subject    TEXT NOT NULL,
    plain      TEXT NOT NULL,
    html       TEXT NOT NULL
) WITHOUT ROWID;
