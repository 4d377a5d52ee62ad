-- The index that proposes messages to a text search (storage/terms). A segment is about the e-mails in
-- docs; state 0 is being written, 1 is in use, 2 is being removed. Its lists lie in blocks.
CREATE TABLE term_segment (
    account   BIGINT NOT NULL,
    id        BIGINT NOT NULL,
    state     BIGINT NOT NULL,
    first     BIGINT NOT NULL,
    last      BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    shift     BIGINT NOT NULL,
    bytes     BIGINT NOT NULL,
    docs      BYTEA NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE term_block (
    account BIGINT NOT NULL,
    segment BIGINT NOT NULL,
    block   BIGINT NOT NULL,
    data    BYTEA NOT NULL,
    PRIMARY KEY (account, segment, block)
);
-- The lists are dense already.
ALTER TABLE term_block ALTER COLUMN data SET STORAGE EXTERNAL;
