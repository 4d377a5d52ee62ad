-- Objects with alarms that are sent by mail: when one is to be looked at next, and up to when all of its
-- alarms have been sent.
CREATE TABLE alarm (
    account INTEGER NOT NULL,
    item    INTEGER NOT NULL,
    due_at  INTEGER NOT NULL,
    done_to INTEGER NOT NULL,
    PRIMARY KEY (account, item)
) WITHOUT ROWID;
CREATE INDEX alarm_due ON alarm (due_at, account, item);
