-- Who has brought mail that nobody answered for: one row per network, sender and account, as a hash
-- (hub/greylist). A row is waited for until it passed once, and is forgotten when it expires.
CREATE TABLE contact (
    id         INTEGER NOT NULL PRIMARY KEY,
    since      INTEGER NOT NULL,
    passed     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX contact_expires_at ON contact (expires_at);
