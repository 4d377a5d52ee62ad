-- Rules about mail, in the language Sieve; at most one script of an account is in use.
CREATE TABLE sieve_script (
    account   BIGINT NOT NULL,
    name      TEXT NOT NULL,
    id        BIGINT NOT NULL,
    is_active BIGINT NOT NULL,
    text      TEXT NOT NULL,
    PRIMARY KEY (account, name)
);

-- What scripts have noted for a while, as hashes: who was answered, and ids of messages.
CREATE TABLE sieve_seen (
    account    BIGINT NOT NULL,
    hash       BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, hash)
);
CREATE INDEX sieve_seen_expired ON sieve_seen (account, expires_at);
