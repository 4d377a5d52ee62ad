-- What a twin's junk filter has learned, packed (hub/junk): up to which change and of which messages,
-- and apart from that the parts that deliveries look into.
CREATE TABLE junk_progress (
    account BIGINT NOT NULL PRIMARY KEY,
    modseq  BIGINT NOT NULL,
    learned BYTEA NOT NULL
);

CREATE TABLE junk_part (
    account BIGINT NOT NULL,
    part    BIGINT NOT NULL,
    data    BYTEA NOT NULL,
    PRIMARY KEY (account, part)
);
-- The parts are dense already.
ALTER TABLE junk_part ALTER COLUMN data SET STORAGE EXTERNAL;
