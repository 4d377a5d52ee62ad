-- Accounts that are no people: rooms (1) and other things that can be reserved (2).
CREATE TABLE room (
    account BIGINT NOT NULL PRIMARY KEY,
    kind    BIGINT NOT NULL,
    name    TEXT NOT NULL
);

-- Who may ask when a twin is busy: 2 whom it has written to, 3 nobody; else every twin of the hub.
CREATE TABLE free_busy (
    account BIGINT NOT NULL PRIMARY KEY,
    access  BIGINT NOT NULL
);
