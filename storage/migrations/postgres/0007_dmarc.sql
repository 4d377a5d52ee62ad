-- Reports about mail that claims a domain (DMARC, RFC 9990). Days are counted since 1970-01-01, UTC.

-- What will be reported to others: equal messages of a day are counted together.
CREATE TABLE dmarc_count (
    day      BIGINT NOT NULL,
    domain   TEXT NOT NULL,
    facts    TEXT NOT NULL,
    messages BIGINT NOT NULL,
    PRIMARY KEY (day, domain, facts)
);

-- What others have reported about our domains.
CREATE TABLE dmarc_report (
    received_at BIGINT NOT NULL,
    domain      TEXT NOT NULL,
    organisation TEXT NOT NULL,
    report      TEXT NOT NULL,
    begins_at   BIGINT NOT NULL,
    ends_at     BIGINT NOT NULL,
    passed      BIGINT NOT NULL,
    failed      BIGINT NOT NULL,
    PRIMARY KEY (domain, organisation, report)
);
