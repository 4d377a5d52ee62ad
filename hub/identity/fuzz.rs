//! For the fuzzer: records and histories that anybody may have written.

use crate::{History, Record, Value};

/// What can be read is written back as it was understood; a history that is believed holds together.
pub fn record(input: &[u8]) {
    if let Ok(value) = Value::parse(input) {
        let text = value.to_canonical();
        assert_eq!(Value::parse(text.as_bytes()), Ok(value), "one form");
    }
    let records = input.split(|byte| *byte == b'\n').take(20).map(Record::parse);
    let Ok(records) = records.collect::<Result<Vec<_>, _>>() else { return };
    for record in &records {
        let again = Record::parse(record.to_canonical().as_bytes());
        assert!(again.as_ref() == Ok(record) || again.is_err(), "the same record, or one too long to send");
    }
    if let Ok(history) = History::new(records, i64::MAX) {
        let numbers: Vec<u64> = history.records().iter().map(Record::seq).collect();
        assert!(numbers.iter().zip(1..).all(|(seq, expected)| *seq == expected));
        assert!(history.records().iter().all(|record| record.id() == history.id()));
    }
}
