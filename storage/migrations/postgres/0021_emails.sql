-- Conversations: all of an account in one scan, and the e-mails of one.
CREATE INDEX email_thread ON email (account, thread, id);

-- What a client has brought and not used yet (RFC 8620 §6.1).
CREATE TABLE upload (
    account    BIGINT NOT NULL,
    id         BIGINT NOT NULL,
    blob       BYTEA NOT NULL,
    size       BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX upload_age ON upload (created_at);

-- RFC 8621 §2: where a client lists it among its siblings.
ALTER TABLE mailbox ADD COLUMN sort_order BIGINT NOT NULL DEFAULT 0;
