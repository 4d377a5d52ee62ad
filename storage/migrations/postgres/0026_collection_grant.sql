-- What twins have granted of their calendars and address books to other twins of this hub; collection 0
-- is all calendars. access, status and news: see hub/collections/sharing.rs. link is the grantee's number
-- for it, of its own ids; from there on all is what the grantee says of it.
CREATE TABLE collection_grant (
    account      BIGINT NOT NULL,
    collection   BIGINT NOT NULL,
    grantee      BIGINT NOT NULL,
    kind         BIGINT NOT NULL,
    access       BIGINT NOT NULL,
    status       BIGINT NOT NULL,
    news         BIGINT NOT NULL,
    summary      TEXT NOT NULL,
    granted_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    link         BIGINT NOT NULL,
    display_name TEXT NOT NULL,
    description  TEXT NOT NULL,
    color        TEXT NOT NULL,
    position     BIGINT NOT NULL,
    transparent  BIGINT NOT NULL,
    PRIMARY KEY (account, collection, grantee)
);
CREATE UNIQUE INDEX collection_grant_grantee ON collection_grant (grantee, link);
