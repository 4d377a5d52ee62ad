-- Who the accounts are to other hubs. The keys are the hub's to use; of the recovery key it has only the
-- public half, in the record. recovery_at: when its words were shown; 0 is never. expires_at: the end of
-- the last version of the record.
CREATE TABLE twin_identity (
    account        INTEGER NOT NULL PRIMARY KEY,
    id             TEXT NOT NULL,
    handle         TEXT NOT NULL,
    rotation_seed  BLOB NOT NULL,
    signing_seed   BLOB NOT NULL,
    recovery_at    INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    created_at     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX twin_identity_id ON twin_identity (id);
CREATE INDEX twin_identity_handle ON twin_identity (handle);
CREATE INDEX twin_identity_expires_at ON twin_identity (expires_at);

-- All versions of their signed records, canonical JSON. What was overruled is gone.
CREATE TABLE twin_record (
    account  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    made_at  INTEGER NOT NULL,
    record   BLOB NOT NULL,
    PRIMARY KEY (account, seq)
) WITHOUT ROWID;
