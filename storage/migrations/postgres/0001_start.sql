-- Every key begins with the account: it is the unit of sharding, backup, export and move.
-- Integers are 64 bits, times are Unix seconds, '' and 0 stand for "none" where that is no value.

CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE counter (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE domain (
    name       TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE account (
    id            BIGINT NOT NULL PRIMARY KEY,
    handle        TEXT NOT NULL UNIQUE,
    password      TEXT NOT NULL,
    scram         BYTEA NOT NULL,
    modseq        BIGINT NOT NULL,
    next_id       BIGINT NOT NULL,
    journal_floor BIGINT NOT NULL,
    quota         BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);

-- Lower-cased address to account; several rows for an alias with several targets.
CREATE TABLE address (
    address    TEXT NOT NULL,
    account    BIGINT NOT NULL,
    written    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (address, account)
);
CREATE INDEX address_account ON address (account);

CREATE TABLE app_password (
    account      BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    name         TEXT NOT NULL,
    hash         BYTEA NOT NULL,
    doors        TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE mailbox (
    account        BIGINT NOT NULL,
    id             BIGINT NOT NULL,
    parent         BIGINT NOT NULL,
    name           TEXT NOT NULL,
    role           TEXT NOT NULL,
    selectable     BIGINT NOT NULL,
    uid_validity   BIGINT NOT NULL,
    uid_next       BIGINT NOT NULL,
    created_modseq BIGINT NOT NULL,
    modseq         BIGINT NOT NULL,
    total          BIGINT NOT NULL,
    unseen         BIGINT NOT NULL,
    bytes          BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX mailbox_name ON mailbox (account, parent, name);

CREATE TABLE subscription (
    account BIGINT NOT NULL,
    path    TEXT NOT NULL,
    PRIMARY KEY (account, path)
);

CREATE TABLE keyword (
    account BIGINT NOT NULL,
    bit     BIGINT NOT NULL,
    name    TEXT NOT NULL,
    PRIMARY KEY (account, bit)
);

-- A message, whatever mailboxes it lies in. gone_at > 0: in none since then, kept for a while so
-- that sessions not yet told of the expunge can still read it.
CREATE TABLE email (
    account        BIGINT NOT NULL,
    id             BIGINT NOT NULL,
    blob           BYTEA NOT NULL,
    size           BIGINT NOT NULL,
    sent_at        BIGINT NOT NULL,
    thread         BIGINT NOT NULL,
    created_modseq BIGINT NOT NULL,
    gone_at        BIGINT NOT NULL,
    prefix         BYTEA NOT NULL,
    summary        BYTEA NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX email_gone ON email (gone_at) WHERE gone_at > 0;

-- The hot table: one narrow row per message and mailbox. No index on modseq (it would make flag
-- changes five times dearer; the index in memory and the journal answer "since").
CREATE TABLE mailbox_message (
    account     BIGINT NOT NULL,
    mailbox     BIGINT NOT NULL,
    uid         BIGINT NOT NULL,
    email       BIGINT NOT NULL,
    flags       BIGINT NOT NULL,
    modseq      BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    saved_at    BIGINT NOT NULL,
    PRIMARY KEY (account, mailbox, uid)
) WITH (fillfactor = 70);
CREATE INDEX mailbox_message_email ON mailbox_message (account, email);

-- A packed copy of a mailbox's index as of one modseq; it may be old or missing.
CREATE TABLE mailbox_index (
    account BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    modseq  BIGINT NOT NULL,
    data    BYTEA NOT NULL,
    PRIMARY KEY (account, mailbox)
);

CREATE TABLE thread_reference (
    account BIGINT NOT NULL,
    hash    BIGINT NOT NULL,
    thread  BIGINT NOT NULL,
    PRIMARY KEY (account, hash)
);

-- Content by keyed hash. place = '': the bytes are in data, else it names a file in blobs/.
CREATE TABLE blob (
    hash       BYTEA NOT NULL PRIMARY KEY,
    size       BIGINT NOT NULL,
    refs       BIGINT NOT NULL,
    unused_at  BIGINT NOT NULL,
    encoding   BIGINT NOT NULL,
    place      TEXT NOT NULL,
    data       BYTEA NOT NULL
);
CREATE INDEX blob_unused ON blob (unused_at) WHERE unused_at > 0;

-- The change log: packed id sets of what one commit created, updated and destroyed.
CREATE TABLE journal (
    account   BIGINT NOT NULL,
    kind      BIGINT NOT NULL,
    container BIGINT NOT NULL,
    modseq    BIGINT NOT NULL,
    made_at   BIGINT NOT NULL,
    created   BYTEA NOT NULL,
    updated   BYTEA NOT NULL,
    destroyed BYTEA NOT NULL,
    PRIMARY KEY (account, kind, container, modseq)
);

CREATE TABLE queue_message (
    id           BIGINT NOT NULL PRIMARY KEY,
    account      BIGINT NOT NULL,
    reverse_path TEXT NOT NULL,
    blob         BYTEA NOT NULL,
    size         BIGINT NOT NULL,
    prefix       BYTEA NOT NULL,
    ret          TEXT NOT NULL,
    envelope_id  TEXT NOT NULL,
    smtputf8     BIGINT NOT NULL,
    eight_bit    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE TABLE queue_recipient (
    message         BIGINT NOT NULL,
    id              BIGINT NOT NULL,
    address         TEXT NOT NULL,
    domain          TEXT NOT NULL,
    notify          BIGINT NOT NULL,
    original        TEXT NOT NULL,
    attempts        BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    leased_until    BIGINT NOT NULL,
    last_status     TEXT NOT NULL,
    PRIMARY KEY (message, id)
);
CREATE INDEX queue_recipient_due ON queue_recipient (next_attempt_at);
