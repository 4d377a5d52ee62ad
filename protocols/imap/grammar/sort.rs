//! SORT and THREAD (RFC 5256 §5, RFC 5957 §5), SORT with result options (RFC 5267 §5).

use hub::{SortCriterion, SortKey, ThreadAlgorithm};

use super::command::{Search, Sort, Thread};
use super::cursor::Cursor;
use super::search::{charset, program, result_options};
use super::{Error, Result};

/// Most criteria of one SORT; there are nine keys.
const CRITERIA_LIMIT: usize = 50;

/// `sort = ["UID" SP] "SORT" [search-return-opts] SP sort-criteria SP search-criteria`,
/// `search-criteria = charset 1*(SP search-key)`
pub(super) fn sort(cursor: &mut Cursor<'_>, uid: bool) -> Result<Sort> {
    cursor.space()?;
    let returns = result_options(cursor)?;
    let criteria = cursor.list(CRITERIA_LIMIT, sort_criterion)?;
    if criteria.is_empty() {
        return Err(Error::Bad("A sort criterion is missing"));
    }
    cursor.space()?;
    charset(cursor)?;
    Ok(Sort { criteria, search: Search { uid, returns, other_charset: false, key: program(cursor)? } })
}

/// `sort-criterion = ["REVERSE" SP] sort-key`
fn sort_criterion(cursor: &mut Cursor<'_>) -> Result<SortCriterion> {
    let mut word = cursor.keyword()?;
    let reverse = word == "REVERSE";
    if reverse {
        cursor.space()?;
        word = cursor.keyword()?;
    }
    let key = match word.as_str() {
        "ARRIVAL" => SortKey::Arrival,
        "CC" => SortKey::Cc,
        "DATE" => SortKey::Date,
        "DISPLAYFROM" => SortKey::DisplayFrom,
        "DISPLAYTO" => SortKey::DisplayTo,
        "FROM" => SortKey::From,
        "SIZE" => SortKey::Size,
        "SUBJECT" => SortKey::Subject,
        "TO" => SortKey::To,
        _ => return Err(Error::Bad("Unknown sort criterion")),
    };
    Ok(SortCriterion { key, reverse })
}

/// `thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria`
pub(super) fn thread(cursor: &mut Cursor<'_>, uid: bool) -> Result<Thread> {
    cursor.space()?;
    let algorithm = match cursor.keyword()?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => return Err(Error::Bad("Unknown threading algorithm")),
    };
    cursor.space()?;
    charset(cursor)?;
    Ok(Thread {
        algorithm,
        search: Search { uid, returns: None, other_charset: false, key: program(cursor)? },
    })
}
