-- Aliases that lead to other addresses, mostly elsewhere; those that lead to accounts are in address.
-- address and target are in lower case, written and target_written as they were given.
CREATE TABLE forward (
    address        TEXT NOT NULL,
    target         TEXT NOT NULL,
    written        TEXT NOT NULL,
    target_written TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (address, target)
);

-- 1: nobody here wrote it, it was passed on; if that is in vain, it comes back whole.
ALTER TABLE queue_message ADD COLUMN passed_on BIGINT NOT NULL DEFAULT 0;
UPDATE queue_message SET passed_on = 1
    WHERE account <> 0 AND (reverse_path LIKE 'SRS0%' OR reverse_path LIKE 'SRS1%');
