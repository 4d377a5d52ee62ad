-- Calendars (kind 1) and address books (kind 2). changed: when it was changed itself; modseq: when it
-- or anything in it was. Up to floor, what has gone from it is forgotten. components: a bit for each
-- kind of item that it takes.
CREATE TABLE collection (
    account      BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    kind         BIGINT NOT NULL,
    name         TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description  TEXT NOT NULL,
    color        TEXT NOT NULL,
    position     BIGINT NOT NULL,
    components   BIGINT NOT NULL,
    time_zone    TEXT NOT NULL,
    transparent  BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    changed      BIGINT NOT NULL,
    modseq       BIGINT NOT NULL,
    floor        BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX collection_name ON collection (account, kind, name);

-- What lies in them: calendar objects and cards, without their bytes. first_at and last_at: from the
-- first occurrence to the end of the last (Unix seconds). is_open: not all of its occurrences are in
-- item_occurrence, but those that overlap indexed_from to indexed_to.
CREATE TABLE item (
    account      BIGINT NOT NULL,
    collection   BIGINT NOT NULL,
    name         TEXT NOT NULL,
    id           BIGINT NOT NULL,
    uid          TEXT NOT NULL,
    kind         BIGINT NOT NULL,
    etag         BYTEA NOT NULL,
    size         BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    modified_at  BIGINT NOT NULL,
    changed      BIGINT NOT NULL,
    first_at     BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    is_open      BIGINT NOT NULL,
    indexed_from BIGINT NOT NULL,
    indexed_to   BIGINT NOT NULL,
    PRIMARY KEY (account, collection, name)
);
CREATE UNIQUE INDEX item_id ON item (account, id);
CREATE UNIQUE INDEX item_uid ON item (account, uid, collection);
CREATE INDEX item_changed ON item (account, collection, changed, id);
CREATE INDEX item_open ON item (account, collection, indexed_from, indexed_to, first_at, last_at, id)
    WHERE is_open = 1;
CREATE INDEX item_indexed_to ON item (indexed_to) WHERE is_open = 1;

-- The bytes as they came, and what is searched for in them, folded.
CREATE TABLE item_data (
    account BIGINT NOT NULL,
    id      BIGINT NOT NULL,
    data    BYTEA NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (account, id)
);

-- When things happen, in Unix seconds. None is longer than 31 days: what is longer is open.
CREATE TABLE item_occurrence (
    account    BIGINT NOT NULL,
    collection BIGINT NOT NULL,
    start_at   BIGINT NOT NULL,
    item       BIGINT NOT NULL,
    end_at     BIGINT NOT NULL,
    PRIMARY KEY (account, collection, start_at, item, end_at)
);
CREATE INDEX item_occurrence_item ON item_occurrence (account, item);

-- Names that have gone from a collection, for whoever synchronises.
CREATE TABLE item_gone (
    account    BIGINT NOT NULL,
    collection BIGINT NOT NULL,
    name       TEXT NOT NULL,
    id         BIGINT NOT NULL,
    modseq     BIGINT NOT NULL,
    gone_at    BIGINT NOT NULL,
    PRIMARY KEY (account, collection, name)
);
CREATE INDEX item_gone_modseq ON item_gone (account, collection, modseq, id);
CREATE INDEX item_gone_at ON item_gone (gone_at);

-- Dead properties (RFC 4918 section 4) of collections and items; value is XML.
CREATE TABLE item_property (
    account   BIGINT NOT NULL,
    object    BIGINT NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (account, object, namespace, name)
);
