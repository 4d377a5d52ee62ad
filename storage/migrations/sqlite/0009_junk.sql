-- What a twin's junk filter has learned, packed (hub/junk): up to which change and of which messages,
-- and apart from that the parts that deliveries look into.
CREATE TABLE junk_progress (
    account INTEGER NOT NULL PRIMARY KEY,
    modseq  INTEGER NOT NULL,
    learned BLOB NOT NULL
);

CREATE TABLE junk_part (
    account INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (account, part)
);
