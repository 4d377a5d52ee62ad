-- Who a twin writes as (RFC 8621 §6). 0 is the one of its handle, which is always there. Lists of addresses
-- are lines of address, tab, name.
CREATE TABLE identity (
    account        BIGINT NOT NULL,
    id             BIGINT NOT NULL,
    name           TEXT NOT NULL,
    email          TEXT NOT NULL,
    reply_to       TEXT NOT NULL,
    bcc            TEXT NOT NULL,
    text_signature TEXT NOT NULL,
    html_signature TEXT NOT NULL,
    PRIMARY KEY (account, id)
);

-- What was sent through the API (RFC 8621 §7). queued: the message in the queue, 0 if there is none.
CREATE TABLE submission (
    account   BIGINT NOT NULL,
    id        BIGINT NOT NULL,
    identity  BIGINT NOT NULL,
    email     BIGINT NOT NULL,
    thread    BIGINT NOT NULL,
    queued    BIGINT NOT NULL,
    canceled  BIGINT NOT NULL,
    sent_at   BIGINT NOT NULL,
    mail_from TEXT NOT NULL,
    local     TEXT NOT NULL,
    remote    TEXT NOT NULL,
    PRIMARY KEY (account, id)
);

-- The answer while away (RFC 8621 §8). Times are Unix seconds, 0 for none.
CREATE TABLE vacation (
    account    BIGINT NOT NULL PRIMARY KEY,
    is_enabled BIGINT NOT NULL,
    from_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    subject    TEXT NOT NULL,
    plain      TEXT NOT NULL,
    html       TEXT NOT NULL
);
