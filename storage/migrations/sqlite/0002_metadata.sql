-- Annotations (RFC 5464) by mailbox; mailbox 0 is the account itself. Entries are lower case.
CREATE TABLE metadata (
    account INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    entry   TEXT NOT NULL,
    value   BLOB NOT NULL,
    PRIMARY KEY (account, mailbox, entry)
);

-- Capabilities that are kept from the account's mail programs, separated by spaces.
ALTER TABLE account ADD COLUMN hidden_capabilities TEXT NOT NULL DEFAULT '';
