-- Programs that registered themselves (RFC 7591). redirect_uris are separated by spaces.
CREATE TABLE oauth_client (
    id            TEXT NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    registered_at BIGINT NOT NULL,
    last_used_at  BIGINT NOT NULL
);
CREATE INDEX oauth_client_last_used ON oauth_client (last_used_at);

-- What twins have let programs do. family names all refresh tokens of a grant, refresh and prior are
-- hashes of the last two; scopes: see hub/scopes. expires_at moves on with every refresh.
CREATE TABLE oauth_grant (
    account      BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    client       TEXT NOT NULL,
    client_name  TEXT NOT NULL,
    scopes       BIGINT NOT NULL,
    family       BYTEA NOT NULL,
    refresh      BYTEA NOT NULL,
    prior        BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    refreshed_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    last_peer    TEXT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX oauth_grant_family ON oauth_grant (family);
CREATE INDEX oauth_grant_expires ON oauth_grant (expires_at);

-- Access tokens, by their hashes.
CREATE TABLE oauth_access (
    hash       BYTEA NOT NULL PRIMARY KEY,
    account    BIGINT NOT NULL,
    grant_id   BIGINT NOT NULL,
    scopes     BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX oauth_access_grant ON oauth_access (account, grant_id);
CREATE INDEX oauth_access_expires ON oauth_access (expires_at);
