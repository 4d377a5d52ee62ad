-- The queue by next hop: whoever sends claims recipients of one hop and one sender at a time.
-- due_at is when a recipient may be claimed next: at its next attempt, or when the lease of whoever
-- has it now (leased_by) ends. status: 0 waits, 1 held by an operator.
DROP INDEX queue_recipient_due;
ALTER TABLE queue_recipient RENAME COLUMN next_attempt_at TO due_at;
ALTER TABLE queue_recipient DROP COLUMN leased_until;
ALTER TABLE queue_recipient ADD COLUMN account INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_recipient ADD COLUMN hop_kind TEXT NOT NULL DEFAULT 'mx';
ALTER TABLE queue_recipient ADD COLUMN hop_name TEXT NOT NULL DEFAULT '';
ALTER TABLE queue_recipient ADD COLUMN status INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_recipient ADD COLUMN leased_by TEXT NOT NULL DEFAULT '';
UPDATE queue_recipient SET hop_name = domain,
    account = (SELECT account FROM queue_message WHERE queue_message.id = message);
CREATE INDEX queue_recipient_flow ON queue_recipient (hop_kind, status, hop_name, account, due_at);

-- attend_at: when the sender is to be told something if recipients are still here then: of the delay,
-- later of the failure. delay_told_at: when that was.
ALTER TABLE queue_message ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_message ADD COLUMN attend_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_message ADD COLUMN delay_told_at INTEGER NOT NULL DEFAULT 0;
UPDATE queue_message SET expires_at = created_at + 432000, attend_at = created_at + 14400;
CREATE INDEX queue_message_attend ON queue_message (attend_at);

-- The last attempts at a recipient: slot is the number of the attempt modulo how many are kept.
CREATE TABLE queue_attempt (
    message   INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    slot      INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    made_at   INTEGER NOT NULL,
    remote    TEXT NOT NULL,
    tls       TEXT NOT NULL,
    answer    TEXT NOT NULL,
    PRIMARY KEY (message, recipient, slot)
) WITHOUT ROWID;
