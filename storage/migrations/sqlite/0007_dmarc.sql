-- Reports about mail that claims a domain (DMARC, RFC 9990). Days are counted since 1970-01-01, UTC.

-- What will be reported to others: equal messages of a day are counted together.
CREATE TABLE dmarc_count (
    day      INTEGER NOT NULL,
    domain   TEXT NOT NULL,
    facts    TEXT NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (day, domain, facts)
) WITHOUT ROWID;

-- What others have reported about our domains.
CREATE TABLE dmarc_report (
    received_at INTEGER NOT NULL,
    domain      TEXT NOT NULL,
    organisation TEXT NOT NULL,
    report      TEXT NOT NULL,
    begins_at   INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    passed      INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    PRIMARY KEY (domain, organisation, report)
) WITHOUT ROWID;
