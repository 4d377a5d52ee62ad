-- Programs that registered themselves (RFC 7591). redirect_uris are separated by spaces.
CREATE TABLE oauth_client (
    id            TEXT NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    last_used_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX oauth_client_last_used ON oauth_client (last_used_at);

-- What twins have let programs do. family names all refresh tokens of a grant, refresh and prior are
-- hashes of the last two; scopes: see hub/scopes. expires_at moves on with every refresh.
CREATE TABLE oauth_grant (
    account      INTEGER NOT NULL,
    id           INTEGER NOT NULL,
    client       TEXT NOT NULL,
    client_name  TEXT NOT NULL,
    scopes       INTEGER NOT NULL,
    family       BLOB NOT NULL,
    refresh      BLOB NOT NULL,
    prior        BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    last_peer    TEXT NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX oauth_grant_family ON oauth_grant (family);
CREATE INDEX oauth_grant_expires ON oauth_grant (expires_at);

-- Access tokens, by their hashes.
CREATE TABLE oauth_access (
    hash       BLOB NOT NULL PRIMARY KEY,
    account    INTEGER NOT NULL,
    grant_id   INTEGER NOT NULL,
    scopes     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX oauth_access_grant ON oauth_access (account, grant_id);
CREATE INDEX oauth_access_expires ON oauth_access (expires_at);
