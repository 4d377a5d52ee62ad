-- leased_by names a run of a node, not only the node: what a dead process committed last must not pass
-- for the work of the one after it. Nobody sends during a migration, so all leases are over.
UPDATE queue_recipient SET leased_by = '', due_at = 0 WHERE leased_by <> '';
CREATE INDEX queue_recipient_lease ON queue_recipient (leased_by) WHERE leased_by <> '';
