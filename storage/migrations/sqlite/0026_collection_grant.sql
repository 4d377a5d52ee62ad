-- What twins have granted of their calendars and address books to other twins of this hub; collection 0
-- is all calendars. access, status and news: see hub/collections/sharing.rs. link is the grantee's number
-- for it, of its own ids; from there on all is what the grantee says of it.
CREATE TABLE collection_grant (
    account      INTEGER NOT NULL,
    collection   INTEGER NOT NULL,
    grantee      INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    access       INTEGER NOT NULL,
    status       INTEGER NOT NULL,
    news         INTEGER NOT NULL,
    summary      TEXT NOT NULL,
    granted_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    link         INTEGER NOT NULL,
    display_name TEXT NOT NULL,
    description  TEXT NOT NULL,
    color        TEXT NOT NULL,
    position     INTEGER NOT NULL,
    transparent  INTEGER NOT NULL,
    PRIMARY KEY (account, collection, grantee)
) WITHOUT ROWID;
CREATE UNIQUE INDEX collection_grant_grantee ON collection_grant (grantee, link);
