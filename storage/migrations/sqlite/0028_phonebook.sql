-- Identities from before there was a log of them have been shown to nobody: their accounts get others.
DELETE FROM twin_record;
DELETE FROM twin_identity;

-- Which leaf of the log of its domain a version is.
ALTER TABLE twin_record ADD COLUMN leaf INTEGER NOT NULL DEFAULT 0;
-- 1: other hubs are told that there is no such twin.
ALTER TABLE twin_identity ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;

-- The log of what a domain has ever said of its twins: how many leaves it has, and its complete subtrees.
CREATE TABLE twin_log (
    domain  TEXT NOT NULL PRIMARY KEY,
    size    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE twin_log_node (
    domain    TEXT NOT NULL,
    level     INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    PRIMARY KEY (domain, level, position)
) WITHOUT ROWID;

-- Hubs of other domains. api is empty where there is none. size, root and note: the last head of the log
-- that was seen. trouble: what such a hub was caught at; nothing of it is believed then.
CREATE TABLE peer_hub (
    domain      TEXT NOT NULL PRIMARY KEY,
    api         TEXT NOT NULL,
    keys        TEXT NOT NULL,
    checked_at  INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    root        BLOB NOT NULL,
    note        TEXT NOT NULL,
    trouble     TEXT NOT NULL
) WITHOUT ROWID;

-- Twins of other hubs, and all versions of their records with the time when each was seen first. pinned: the
-- hub's owner has said that the handle is this twin's.
CREATE TABLE peer_twin (
    handle      TEXT NOT NULL PRIMARY KEY,
    id          TEXT NOT NULL,
    checked_at  INTEGER NOT NULL,
    pinned      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE peer_record (
    id       TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL,
    record   BLOB NOT NULL,
    PRIMARY KEY (id, seq)
) WITHOUT ROWID;
