-- Identities from before there was a log of them have been shown to nobody: their accounts get others.
DELETE FROM twin_record;
DELETE FROM twin_identity;

-- Which leaf of the log of its domain a version is.
ALTER TABLE twin_record ADD COLUMN leaf BIGINT NOT NULL DEFAULT 0;
-- 1: other hubs are told that there is no such twin.
ALTER TABLE twin_identity ADD COLUMN hidden BIGINT NOT NULL DEFAULT 0;

-- The log of what a domain has ever said of its twins: how many leaves it has, and its complete subtrees.
CREATE TABLE twin_log (
    domain  TEXT NOT NULL PRIMARY KEY,
    size    BIGINT NOT NULL
);
CREATE TABLE twin_log_node (
    domain    TEXT NOT NULL,
    level     BIGINT NOT NULL,
    position  BIGINT NOT NULL,
    hash      BYTEA NOT NULL,
    PRIMARY KEY (domain, level, position)
);

-- Hubs of other domains. api is empty where there is none. size, root and note: the last head of the log
-- that was seen. trouble: what such a hub was caught at; nothing of it is believed then.
CREATE TABLE peer_hub (
    domain      TEXT NOT NULL PRIMARY KEY,
    api         TEXT NOT NULL,
    keys        TEXT NOT NULL,
    checked_at  BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    root        BYTEA NOT NULL,
    note        TEXT NOT NULL,
    trouble     TEXT NOT NULL
);

-- Twins of other hubs, and all versions of their records with the time when each was seen first. pinned: the
-- hub's owner has said that the handle is this twin's.
CREATE TABLE peer_twin (
    handle      TEXT NOT NULL PRIMARY KEY,
    id          TEXT NOT NULL,
    checked_at  BIGINT NOT NULL,
    pinned      BIGINT NOT NULL
);
CREATE TABLE peer_record (
    id       TEXT NOT NULL,
    seq      BIGINT NOT NULL,
    seen_at  BIGINT NOT NULL,
    record   BYTEA NOT NULL,
    PRIMARY KEY (id, seq)
);
