-- What twins have granted to other twins of this hub. access: see hub/files.
CREATE TABLE file_grant (
    account    BIGINT NOT NULL,
    node       BIGINT NOT NULL,
    grantee    BIGINT NOT NULL,
    access     BIGINT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (account, node, grantee)
);
CREATE INDEX file_grant_grantee ON file_grant (grantee);

-- Public links. token is the hash of what stands in the address; expires_at 0 is never.
CREATE TABLE file_link (
    account    BIGINT NOT NULL,
    id         BIGINT NOT NULL,
    token      BYTEA NOT NULL,
    node       BIGINT NOT NULL,
    access     BIGINT NOT NULL,
    password   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX file_link_token ON file_link (token);
