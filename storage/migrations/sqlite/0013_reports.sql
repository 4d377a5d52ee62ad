-- Reports of every kind: 'dmarc' (RFC 9990), 'tls' (RFC 8460). Days are counted since 1970-01-01, UTC.

-- What will be reported to others: equal facts of a day are counted together.
CREATE TABLE report_count (
    kind   TEXT NOT NULL,
    day    INTEGER NOT NULL,
    domain TEXT NOT NULL,
    facts  TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (kind, day, domain, facts)
) WITHOUT ROWID;
INSERT INTO report_count SELECT 'dmarc', day, domain, facts, messages FROM dmarc_count;
DROP TABLE dmarc_count;

-- What others have reported about our domains. details: what went wrong, in a few words.
CREATE TABLE report (
    kind        TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    domain      TEXT NOT NULL,
    organisation TEXT NOT NULL,
    report      TEXT NOT NULL,
    begins_at   INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    passed      INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    details     TEXT NOT NULL,
    PRIMARY KEY (kind, domain, organisation, report)
) WITHOUT ROWID;
INSERT INTO report SELECT 'dmarc', received_at, domain, organisation, report, begins_at, ends_at, passed,
    failed, '' FROM dmarc_report;
DROP TABLE dmarc_report;
