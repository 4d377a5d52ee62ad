-- The index has the headers of parts and of messages within as headers now: what there is goes out of
-- use (state 2, see 0003) and is made anew in the background.
UPDATE term_segment SET state = 2;
