-- What was imported already, so that an import that was cut off goes on where it stopped, and one
-- that is complete changes nothing. `message` is the source's UID, or a hash where it has none.

CREATE TABLE import_source (
    account    BIGINT NOT NULL,
    name       TEXT NOT NULL,
    id         BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE imported (
    account BIGINT NOT NULL,
    source  BIGINT NOT NULL,
    message BIGINT NOT NULL,
    PRIMARY KEY (account, source, message)
);
