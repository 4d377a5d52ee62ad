-- What is known of the way to other domains: MTA-STS policies (RFC 8461), for as long as they say.

CREATE TABLE sts_policy (
    domain     TEXT NOT NULL PRIMARY KEY,
    id         TEXT NOT NULL,
    policy     TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sts_policy_expiry ON sts_policy (expires_at);
