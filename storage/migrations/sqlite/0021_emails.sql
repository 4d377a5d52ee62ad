-- Conversations: all of an account in one scan, and the e-mails of one.
CREATE INDEX email_thread ON email (account, thread, id);

-- What a client has brought and not used yet (RFC 8620 §6.1).
CREATE TABLE upload (
    account    INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    blob       BLOB NOT NULL,
    size       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE INDEX upload_age ON upload (created_at);

-- RFC 8621 §2: where a client lists it among its siblings.
ALTER TABLE mailbox ADD COLUMN sort_order INTEGER NOT NULL DEFAULT 0;
