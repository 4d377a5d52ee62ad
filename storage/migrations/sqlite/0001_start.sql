-- Every key begins with the account: it is the unit of sharding, backup, export and move.
-- Integers are 64 bits, times are Unix seconds, '' and 0 stand for "none" where that is no value.

CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE counter (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE domain (
    name       TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE account (
    id            INTEGER NOT NULL PRIMARY KEY,
    handle        TEXT NOT NULL UNIQUE,
    password      TEXT NOT NULL,
    scram         BLOB NOT NULL,
    modseq        INTEGER NOT NULL,
    next_id       INTEGER NOT NULL,
    journal_floor INTEGER NOT NULL,
    quota         INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
);

-- Lower-cased address to account; several rows for an alias with several targets.
CREATE TABLE address (
    address    TEXT NOT NULL,
    account    INTEGER NOT NULL,
    written    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (address, account)
) WITHOUT ROWID;
CREATE INDEX address_account ON address (account);

CREATE TABLE app_password (
    account      INTEGER NOT NULL,
    id           INTEGER NOT NULL,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL,
    doors        TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;

CREATE TABLE mailbox (
    account        INTEGER NOT NULL,
    id             INTEGER NOT NULL,
    parent         INTEGER NOT NULL,
    name           TEXT NOT NULL,
    role           TEXT NOT NULL,
    selectable     INTEGER NOT NULL,
    uid_validity   INTEGER NOT NULL,
    uid_next       INTEGER NOT NULL,
    created_modseq INTEGER NOT NULL,
    modseq         INTEGER NOT NULL,
    total          INTEGER NOT NULL,
    unseen         INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX mailbox_name ON mailbox (account, parent, name);

CREATE TABLE subscription (
    account INTEGER NOT NULL,
    path    TEXT NOT NULL,
    PRIMARY KEY (account, path)
) WITHOUT ROWID;

CREATE TABLE keyword (
    account INTEGER NOT NULL,
    bit     INTEGER NOT NULL,
    name    TEXT NOT NULL,
    PRIMARY KEY (account, bit)
) WITHOUT ROWID;

-- A message, whatever mailboxes it lies in. gone_at > 0: in none since then, kept for a while so
-- that sessions not yet told of the expunge can still read it.
CREATE TABLE email (
    account        INTEGER NOT NULL,
    id             INTEGER NOT NULL,
    blob           BLOB NOT NULL,
    size           INTEGER NOT NULL,
    sent_at        INTEGER NOT NULL,
    thread         INTEGER NOT NULL,
    created_modseq INTEGER NOT NULL,
    gone_at        INTEGER NOT NULL,
    prefix         BLOB NOT NULL,
    summary        BLOB NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX email_gone ON email (gone_at) WHERE gone_at > 0;

-- The hot table: one narrow row per message and mailbox. No index on modseq (it would make flag
-- changes five times dearer; the index in memory and the journal answer "since").
CREATE TABLE mailbox_message (
    account     INTEGER NOT NULL,
    mailbox     INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    email       INTEGER NOT NULL,
    flags       INTEGER NOT NULL,
    modseq      INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    saved_at    INTEGER NOT NULL,
    PRIMARY KEY (account, mailbox, uid)
) WITHOUT ROWID;
CREATE INDEX mailbox_message_email ON mailbox_message (account, email);

-- A packed copy of a mailbox's index as of one modseq; it may be old or missing.
CREATE TABLE mailbox_index (
    account INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    modseq  INTEGER NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (account, mailbox)
);

CREATE TABLE thread_reference (
    account INTEGER NOT NULL,
    hash    INTEGER NOT NULL,
    thread  INTEGER NOT NULL,
    PRIMARY KEY (account, hash)
) WITHOUT ROWID;

-- Content by keyed hash. place = '': the bytes are in data, else it names a file in blobs/.
CREATE TABLE blob (
    hash       BLOB NOT NULL PRIMARY KEY,
    size       INTEGER NOT NULL,
    refs       INTEGER NOT NULL,
    unused_at  INTEGER NOT NULL,
    encoding   INTEGER NOT NULL,
    place      TEXT NOT NULL,
    data       BLOB NOT NULL
);
CREATE INDEX blob_unused ON blob (unused_at) WHERE unused_at > 0;

-- The change log: packed id sets of what one commit created, updated and destroyed.
CREATE TABLE journal (
    account   INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    container INTEGER NOT NULL,
    modseq    INTEGER NOT NULL,
    made_at   INTEGER NOT NULL,
    created   BLOB NOT NULL,
    updated   BLOB NOT NULL,
    destroyed BLOB NOT NULL,
    PRIMARY KEY (account, kind, container, modseq)
) WITHOUT ROWID;

CREATE TABLE queue_message (
    id           INTEGER NOT NULL PRIMARY KEY,
    account      INTEGER NOT NULL,
    reverse_path TEXT NOT NULL,
    blob         BLOB NOT NULL,
    size         INTEGER NOT NULL,
    prefix       BLOB NOT NULL,
    ret          TEXT NOT NULL,
    envelope_id  TEXT NOT NULL,
    smtputf8     INTEGER NOT NULL,
    eight_bit    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
);

CREATE TABLE queue_recipient (
    message         INTEGER NOT NULL,
    id              INTEGER NOT NULL,
    address         TEXT NOT NULL,
    domain          TEXT NOT NULL,
    notify          INTEGER NOT NULL,
    original        TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    leased_until    INTEGER NOT NULL,
    last_status     TEXT NOT NULL,
    PRIMARY KEY (message, id)
) WITHOUT ROWID;
CREATE INDEX queue_recipient_due ON queue_recipient (next_attempt_at);
