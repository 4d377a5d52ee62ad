-- The index that proposes messages to a text search (storage/terms). A segment is about the e-mails in
-- docs; state 0 is being written, 1 is in use, 2 is being removed. Its lists lie in blocks.
CREATE TABLE term_segment (
    account   INTEGER NOT NULL,
    id        INTEGER NOT NULL,
    state     INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    shift     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    docs      BLOB NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE term_block (
    account INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    block   INTEGER NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (account, segment, block)
);
