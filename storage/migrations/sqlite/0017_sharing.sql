-- What twins have granted to other twins of this hub. access: see hub/files.
CREATE TABLE file_grant (
    account    INTEGER NOT NULL,
    node       INTEGER NOT NULL,
    grantee    INTEGER NOT NULL,
    access     INTEGER NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (account, node, grantee)
) WITHOUT ROWID;
CREATE INDEX file_grant_grantee ON file_grant (grantee);

-- Public links. token is the hash of what stands in the address; expires_at 0 is never.
CREATE TABLE file_link (
    account    INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    token      BLOB NOT NULL,
    node       INTEGER NOT NULL,
    access     INTEGER NOT NULL,
    password   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX file_link_token ON file_link (token);
