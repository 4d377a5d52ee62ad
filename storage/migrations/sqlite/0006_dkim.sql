-- Keys that sign a domain's mail (DKIM). Times are Unix seconds, 0 is never. A key is made, seen in
-- DNS, signs, is retired, and revoked when its secret is gone.

CREATE TABLE dkim_key (
    domain     TEXT NOT NULL,
    selector   TEXT NOT NULL,
    algorithm  TEXT NOT NULL,
    secret     BLOB NOT NULL,
    public     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    active_at  INTEGER NOT NULL,
    retired_at INTEGER NOT NULL,
    PRIMARY KEY (domain, selector)
) WITHOUT ROWID;
