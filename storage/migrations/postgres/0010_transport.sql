-- What is known of the way to other domains. `sts_policy`: MTA-STS policies (RFC 8461) for as long as
-- they say. `tls_result`: how connections went, per day, for reports about TLS (RFC 8460); `policy`
-- is what the domain asked for, `result` empty for success.

CREATE TABLE sts_policy (
    domain     TEXT NOT NULL PRIMARY KEY,
    id         TEXT NOT NULL,
    policy     TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sts_policy_expiry ON sts_policy (expires_at);

CREATE TABLE tls_result (
    day      BIGINT NOT NULL,
    domain   TEXT NOT NULL,
    policy   TEXT NOT NULL,
    host     TEXT NOT NULL,
    result   TEXT NOT NULL,
    sessions BIGINT NOT NULL,
    PRIMARY KEY (day, domain, policy, host, result)
);
