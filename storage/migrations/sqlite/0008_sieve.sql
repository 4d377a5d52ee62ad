-- Rules about mail, in the language Sieve; at most one script of an account is in use.
CREATE TABLE sieve_script (
    account   INTEGER NOT NULL,
    name      TEXT NOT NULL,
    id        INTEGER NOT NULL,
    is_active INTEGER NOT NULL,
    text      TEXT NOT NULL,
    PRIMARY KEY (account, name)
);

-- What scripts have noted for a while, as hashes: who was answered, and ids of messages.
CREATE TABLE sieve_seen (
    account    INTEGER NOT NULL,
    hash       BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account, hash)
) WITHOUT ROWID;
CREATE INDEX sieve_seen_expired ON sieve_seen (account, expires_at);
