-- When more of a scheduling object than answers was changed last (RFC 6638 section 3.2.10); 0 for others.
ALTER TABLE item ADD COLUMN schedule_tag INTEGER NOT NULL DEFAULT 0;

-- iTIP messages that are on their way. account: who sends them, or who got them by mail.
CREATE TABLE itip_message (
    account    INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    uid        TEXT NOT NULL,
    sender     TEXT NOT NULL,
    data       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX itip_message_uid ON itip_message (account, uid);

-- To whom, and what became of it: status is what the sender's copy says then, '' as long as there is
-- something to be done. recipient '' is the account itself.
CREATE TABLE itip_recipient (
    account   INTEGER NOT NULL,
    message   INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    status    TEXT NOT NULL,
    attempts  INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    PRIMARY KEY (account, message, recipient)
) WITHOUT ROWID;
CREATE INDEX itip_recipient_due ON itip_recipient (due_at, account, message) WHERE status = '';
CREATE INDEX itip_recipient_done ON itip_recipient (due_at, account, message) WHERE status <> '';
