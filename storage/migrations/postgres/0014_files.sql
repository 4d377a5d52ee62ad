-- Files: a tree of nodes per account. Four of them are there from the start and have no parent: 2 is the
-- top of the twin's files, 3 of its trash, 4 of uploads in pieces, 5 of what is being removed.
-- key is the name in NFC, name is as it was written. For a folder, size, nodes and tree (the last modseq)
-- include all that is in it. placed: since when a node has its name and parent.
CREATE TABLE file_node (
    account      BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    parent       BIGINT NOT NULL,
    key          TEXT COLLATE "C" NOT NULL,
    name         TEXT NOT NULL,
    folder       BIGINT NOT NULL,
    blob         BYTEA NOT NULL,
    size         BIGINT NOT NULL,
    nodes        BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    checksum     TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    modified_at  BIGINT NOT NULL,
    changed      BIGINT NOT NULL,
    placed       BIGINT NOT NULL,
    tree         BIGINT NOT NULL,
    properties   BIGINT NOT NULL,
    PRIMARY KEY (account, parent, key)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX file_node_id ON file_node (account, id);
CREATE INDEX file_node_changed ON file_node (account, parent, changed, id);
CREATE INDEX file_node_folder ON file_node (account, parent) WHERE folder = 1;
CREATE INDEX file_node_removed ON file_node (account) WHERE parent = 5;
CREATE INDEX file_node_upload ON file_node (modified_at, account) WHERE parent = 4;
INSERT INTO file_node (account, id, parent, key, name, folder, blob, size, nodes, content_type, checksum,
        created_at, modified_at, changed, placed, tree, properties)
    SELECT account.id, top.id, 0, top.key, '', 1, ''::bytea, 0, 1, '', '',
        account.created_at, account.created_at, 1, 1, 1, 0
    FROM account CROSS JOIN (SELECT 2 AS id, 'files' AS key UNION ALL SELECT 3, 'trash'
        UNION ALL SELECT 4, 'uploads' UNION ALL SELECT 5, 'removed') AS top;

-- Names that are no longer where they were, for whoever synchronises. One that is used again stays
-- here: what lies at that name counts more. node is what was there (0: several things), folder is 1
-- if any of it was a folder.
CREATE TABLE file_gone (
    account BIGINT NOT NULL,
    parent  BIGINT NOT NULL,
    key     TEXT COLLATE "C" NOT NULL,
    id      BIGINT NOT NULL,
    name    TEXT NOT NULL,
    node    BIGINT NOT NULL,
    folder  BIGINT NOT NULL,
    modseq  BIGINT NOT NULL,
    gone_at BIGINT NOT NULL,
    PRIMARY KEY (account, parent, key)
);
CREATE INDEX file_gone_modseq ON file_gone (account, parent, modseq, id);
CREATE INDEX file_gone_at ON file_gone (gone_at);

-- Up to this modseq file_gone was trimmed.
ALTER TABLE account ADD COLUMN files_floor BIGINT NOT NULL DEFAULT 0;

-- Where what is in the trash was.
CREATE TABLE file_trash (
    account    BIGINT NOT NULL,
    node       BIGINT NOT NULL,
    path       TEXT NOT NULL,
    trashed_at BIGINT NOT NULL,
    PRIMARY KEY (account, node)
);
CREATE INDEX file_trash_at ON file_trash (trashed_at);

-- Earlier contents of files.
CREATE TABLE file_version (
    account      BIGINT NOT NULL,
    node         BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    blob         BYTEA NOT NULL,
    size         BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    checksum     TEXT NOT NULL,
    modified_at  BIGINT NOT NULL,
    replaced_at  BIGINT NOT NULL,
    PRIMARY KEY (account, node, id)
);
CREATE INDEX file_version_replaced ON file_version (replaced_at);

-- Dead properties (RFC 4918 section 4); value is XML.
CREATE TABLE file_property (
    account   BIGINT NOT NULL,
    node      BIGINT NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (account, node, namespace, name)
);

-- Locks (RFC 4918 section 6). path is that of the lock's root, in NFC: what is locked cannot be
-- renamed without ending the lock. holder is the twin who has it.
CREATE TABLE file_lock (
    account         BIGINT NOT NULL,
    token           TEXT NOT NULL,
    path            TEXT NOT NULL,
    holder          BIGINT NOT NULL,
    exclusive       BIGINT NOT NULL,
    deep            BIGINT NOT NULL,
    owner           TEXT NOT NULL,
    timeout_seconds BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    PRIMARY KEY (account, token)
);
