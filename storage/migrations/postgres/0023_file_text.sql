-- What a segment of the index of texts is about: 0 e-mails, 1 contents of files.
ALTER TABLE term_segment ADD COLUMN corpus BIGINT NOT NULL DEFAULT 0;

-- Contents of an account's files whose text was looked for. form 0: there is none; 1: the content itself is
-- the text; 2: the text stands here, compressed, and is size bytes long. The index knows it as id.
CREATE TABLE file_text (
    blob    BYTEA NOT NULL,
    account BIGINT NOT NULL,
    id      BIGINT NOT NULL,
    form    BIGINT NOT NULL,
    size    BIGINT NOT NULL,
    text    BYTEA NOT NULL,
    PRIMARY KEY (blob, account)
);
CREATE UNIQUE INDEX file_text_id ON file_text (account, id);

-- Up to this modseq the account's files were looked at.
ALTER TABLE account ADD COLUMN files_read BIGINT NOT NULL DEFAULT 0;
-- It is compressed already.
ALTER TABLE file_text ALTER COLUMN text SET STORAGE EXTERNAL;
