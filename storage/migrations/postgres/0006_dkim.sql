-- Keys that sign a domain's mail (DKIM). Times are Unix seconds, 0 is never. A key is made, seen in
-- DNS, signs, is retired, and revoked when its secret is gone.

CREATE TABLE dkim_key (
    domain     TEXT NOT NULL,
    selector   TEXT NOT NULL,
    algorithm  TEXT NOT NULL,
    secret     BYTEA NOT NULL,
    public     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    retired_at BIGINT NOT NULL,
    PRIMARY KEY (domain, selector)
);
