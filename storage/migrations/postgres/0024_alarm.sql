-- Objects with alarms that are sent by mail: when one is to be looked at next, and up to when all of its
-- alarms have been sent.
CREATE TABLE alarm (
    account BIGINT NOT NULL,
    item    BIGINT NOT NULL,
    due_at  BIGINT NOT NULL,
    done_to BIGINT NOT NULL,
    PRIMARY KEY (account, item)
);
CREATE INDEX alarm_due ON alarm (due_at, account, item);
