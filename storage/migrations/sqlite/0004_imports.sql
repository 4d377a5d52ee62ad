-- What was imported already, so that an import that was cut off goes on where it stopped, and one
-- that is complete changes nothing. `message` is the source's UID, or a hash where it has none.

CREATE TABLE import_source (
    account    INTEGER NOT NULL,
    name       TEXT NOT NULL,
    id         INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE imported (
    account INTEGER NOT NULL,
    source  INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (account, source, message)
) WITHOUT ROWID;
