use proptest::prelude::*;

use super::*;

const DAY: i64 = hub_civil::SECONDS_A_DAY;

fn moment(text: &str) -> i64 {
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().expect("a number");
    let day = hub_civil::days(part(0, 4), part(4, 6), part(6, 8)).expect("a day");
    match text.len() {
        8 => day * DAY,
        _ => day * DAY + part(9, 11) * 3600 + part(11, 13) * 60 + part(13, 15),
    }
}

fn written(moment: i64) -> String {
    let civil = hub_civil::Civil::of(moment);
    let date = civil.date;
    let time = (civil.hour, civil.minute, civil.second);
    format!("{:04}{:02}{:02}T{:02}{:02}{:02}", date.year, date.month, date.day, time.0, time.1, time.2)
}

fn series(rule: &str, start: &str) -> Series {
    let rule = rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}"));
    let start = match start.len() {
        8 => Start::Date(moment(start) / DAY),
        _ => Start::Time(moment(start)),
    };
    // New York in the winter.
    Series::new(&rule, start, |utc| utc - 5 * 3600)
}

/// The first occurrences, all if there is no `…` at the end; times that are left out are the start's.
#[track_caller]
fn check(rule: &str, start: &str, expected: &str) {
    let (expected, is_all) = expected.strip_suffix(" …").map_or((expected, true), |some| (some, false));
    let expected: Vec<String> =
        expected
            .split_ascii_whitespace()
            .map(|text| {
                if text.len() == 8 { format!("{text}{}", &written(moment(start))[8..]) } else { text.into() }
            })
            .collect();
    let take = expected.len() + usize::from(is_all);
    let found: Vec<_> = series(rule, start).between(i64::MIN, i64::MAX).take(take).map(written).collect();
    assert_eq!(found, expected, "{rule}");
}

/// The examples of RFC 5545 §3.8.5.3, in its order.
#[test]
fn rfc5545_3_8_5_3_examples() {
    let start = "19970902T090000";
    let check_from_start = |rule: &str, expected: &str| check(rule, start, expected);
    check_from_start("FREQ=DAILY;COUNT=3", "19970902 19970903 19970904");
    check_from_start("FREQ=DAILY;INTERVAL=2", "19970902 19970904 19970906 …");
    check_from_start("FREQ=DAILY;INTERVAL=10;COUNT=5", "19970902 19970912 19970922 19971002 19971012");
    check(
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "19980101T090000",
        "19980101 19980102 19980103 …",
    );
    check_from_start("FREQ=WEEKLY;COUNT=3", "19970902 19970909 19970916");
    check_from_start("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "19970902 19970916 19970930 …");
    check_from_start("FREQ=WEEKLY;COUNT=4;WKST=SU;BYDAY=TU,TH", "19970902 19970904 19970909 19970911");
    check(
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19970919T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "19970901T090000",
        "19970901 19970903 19970905 19970915 19970917",
    );
    check_from_start(
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=TU,TH",
        "19970902 19970904 19970916 19970918",
    );
    check("FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "19970905T090000", "19970905 19971003 19971107");
    check(
        "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
        "19970905T090000",
        "19970905 19971003 19971107 19971205",
    );
    check(
        "FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU",
        "19970907T090000",
        "19970907 19970928 19971102 19971130",
    );
    check("FREQ=MONTHLY;COUNT=3;BYDAY=-2MO", "19970922T090000", "19970922 19971020 19971117");
    check(
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "19970928T090000",
        "19970928 19971029 19971128 19971229 19980129 19980226 …",
    );
    check_from_start("FREQ=MONTHLY;COUNT=4;BYMONTHDAY=2,15", "19970902 19970915 19971002 19971015");
    check("FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1", "19970930T090000", "19970930 19971001 19971031 19971101");
    check(
        "FREQ=MONTHLY;INTERVAL=18;COUNT=8;BYMONTHDAY=10,11,12,13,14,15",
        "19970910T090000",
        "19970910 19970911 19970912 19970913 19970914 19970915 19990310 19990311",
    );
    check_from_start(
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        "19970902 19970909 19970916 19970923 19970930 19971104 …",
    );
    check("FREQ=YEARLY;COUNT=4;BYMONTH=6,7", "19970610T090000", "19970610 19970710 19980610 19980710");
    check(
        "FREQ=YEARLY;INTERVAL=2;COUNT=4;BYMONTH=1,2,3",
        "19970310T090000",
        "19970310 19990110 19990210 19990310",
    );
    check(
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "19970101T090000",
        "19970101 19970410 19970719 20000101 20000409 20000718 20030101 20030410 20030719 20060101",
    );
    check("FREQ=YEARLY;BYDAY=20MO", "19970519T090000", "19970519 19980518 19990517 …");
    check("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "19970512T090000", "19970512 19980511 19990517 …");
    check("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "19970313T090000", "19970313 19970320 19970327 19980305 …");
    check(
        "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        "19970605T090000",
        "19970605 19970612 19970619 19970626 19970703 …",
    );
    // The start is not a Friday; the example takes it out with EXDATE.
    check_from_start(
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "19970902 19980213 19980313 19981113 19990813 20001013 …",
    );
    check(
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "19970913T090000",
        "19970913 19971011 19971108 19971213 …",
    );
    check(
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "19961105T090000",
        "19961105 20001107 20041102 …",
    );
    check("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "19970904T090000", "19970904 19971007 19971106");
    check(
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "19970929T090000",
        "19970929 19971030 19971127 19971230 …",
    );
    check_from_start(
        "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
        "19970902 19970902T120000 19970902T150000",
    );
    check_from_start("FREQ=MINUTELY;INTERVAL=15;COUNT=3", "19970902 19970902T091500 19970902T093000");
    check_from_start(
        "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
        "19970902 19970902T103000 19970902T120000 19970902T133000",
    );
    check_from_start(
        "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
        "19970902 19970902T092000 19970902T094000 19970902T100000 …",
    );
    check_from_start(
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
        "19970902 19970902T092000 19970902T094000 19970902T100000 …",
    );
    check(
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        "19970805T090000",
        "19970805 19970810 19970819 19970824",
    );
    check(
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        "19970805T090000",
        "19970805 19970817 19970819 19970831",
    );
    check(
        "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        "20070115T090000",
        "20070115 20070130 20070215 20070315 20070330",
    );
}

#[test]
fn a_day_has_no_hours() {
    check("FREQ=DAILY;COUNT=2;BYHOUR=9;BYMINUTE=30", "20240101", "20240101T000000 20240102T000000");
    check("FREQ=HOURLY", "20240101", "20240101T000000");
    check("FREQ=DAILY;UNTIL=20240103", "20240101", "20240101T000000 20240102T000000 20240103T000000");
}

/// RFC 5545 §3.8.5.3: DTSTART "always counts as the first occurrence".
#[test]
fn the_start_counts() {
    check("FREQ=WEEKLY;BYDAY=MO;COUNT=3", "20240103T090000", "20240103 20240108 20240115");
    check("FREQ=DAILY;COUNT=1", "20240103T090000", "20240103");
    check("FREQ=DAILY;UNTIL=20200101T000000Z", "20240103T090000", "20240103");
    check("FREQ=MONTHLY;BYMONTHDAY=30;BYMONTH=2", "20240103T090000", "20240103");
}

/// BYWEEKNO alone takes the weekday of the start.
#[test]
fn a_week_alone() {
    check(
        "FREQ=YEARLY;BYWEEKNO=1,-1;COUNT=5",
        "20240101T090000",
        "20240101 20241223 20241230 20251222 20251229",
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let check = |rule: &str, error: &str| {
        let found = rule.parse::<Rule>().expect_err(rule);
        assert_eq!(found.to_string(), error, "{rule}");
    };
    check("", "a recurrence rule has no FREQ");
    check("FREQ=SOMETIMES", "a recurrence rule has an impossible FREQ: \"SOMETIMES\"");
    check("FREQ=DAILY;FREQ=DAILY", "a recurrence rule has FREQ twice");
    check("FREQ=DAILY;INTERVAL=0", "a recurrence rule has an impossible INTERVAL: \"0\"");
    check("FREQ=DAILY;INTERVAL=99999999999", "a recurrence rule has an impossible INTERVAL: \"99999999999\"");
    check("FREQ=DAILY;COUNT=3;UNTIL=20240101", "a recurrence rule has an impossible UNTIL: \"20240101\"");
    check("FREQ=DAILY;UNTIL=20240230", "a recurrence rule has an impossible UNTIL: \"20240230\"");
    check("FREQ=DAILY;UNTIL=20240101T2500", "a recurrence rule has an impossible UNTIL: \"20240101T2500\"");
    check("FREQ=YEARLY;BYDAY=54MO", "a recurrence rule has an impossible BYDAY: \"54MO\"");
    check("FREQ=YEARLY;BYDAY=Ä", "a recurrence rule has an impossible BYDAY: \"Ä\"");
    check("FREQ=YEARLY;BYMONTH=", "a recurrence rule has an impossible BYMONTH: \"\"");
    check("FREQ=YEARLY;BYMONTHDAY=0", "a recurrence rule has an impossible BYMONTHDAY: \"0\"");
    check("RSCALE=CHINESE;FREQ=YEARLY", "a recurrence rule has RSCALE, which is not understood here");
    check(
        &format!("FREQ=DAILY;BYHOUR={}1", "1,".repeat(5000)),
        "a recurrence rule of 10019 octets is too long",
    );
}

#[test]
fn what_clients_write_is_read() {
    let rule: Rule = "freq=weekly; byday=mo\\,MO,tu \\;wkst=su;".parse().expect("lenient");
    assert_eq!(rule.frequency, Frequency::Weekly);
    assert_eq!(rule.weekdays, [Nth { nth: 0, weekday: 1 }, Nth { nth: 0, weekday: 2 }]);
    let rule: Rule = "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=OMIT;BYSECOND=60".parse().expect("RFC 7529");
    assert_eq!(rule.seconds, [] as [u8; 0], "there is no such second");
}

/// Rules that take ages when they are counted through from their start.
#[test]
fn far_windows_are_reached_by_arithmetic() {
    let check = |rule: &str, from: &str, to: &str, expected: usize| {
        let found = series(rule, "20000101T000000").between(moment(from), moment(to)).count();
        assert_eq!(found, expected, "{rule}");
    };
    check("FREQ=SECONDLY", "20400501", "20400502", 86_400);
    check("FREQ=SECONDLY;INTERVAL=86399", "90000501", "90000503", 2);
    check("FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30", "90000501", "95000501", 0);
    check("FREQ=DAILY;COUNT=1000000000", "20270101", "20270102", 1);
    check("FREQ=SECONDLY;COUNT=1000000000", "20270101", "20270102", 86_400);
    // The thousand-millionth second.
    check("FREQ=SECONDLY;COUNT=1000000000", "20310909T014639", "20310910", 1);
    check("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=4000000000", "90000101", "99991231", 0);
    check("FREQ=SECONDLY;INTERVAL=4294967295;COUNT=4294967295", "90000101", "90500101", 0);
    check("FREQ=YEARLY;INTERVAL=4294967295", "90000101", "90500101", 0);
    check("FREQ=WEEKLY;INTERVAL=4294967295;COUNT=4294967295;BYDAY=SA,SU", "20000101", "20000103", 2);
    let every_second: String = (0..60).map(|n| format!(",{n}")).collect();
    let bomb = format!(
        "FREQ=YEARLY;BYHOUR={};BYMINUTE={};BYSECOND={};COUNT=1000000000",
        &every_second[1..every_second.find(",24").expect("24")],
        &every_second[1..],
        &every_second[1..]
    );
    check(&bomb, "20010101", "20010102", 86_400);
}

#[test]
fn python_dateutil_finds_the_same() {
    let lines = include_str!("tests/rules.txt");
    assert!(lines.lines().count() > 800);
    for line in lines.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [rule, start, window, shown, number] = fields.as_slice() else { panic!("{line}") };
        let (from, to) = window.split_once('/').expect("a window");
        let series = series(rule, start);
        let found = || series.between(moment(from), moment(to));
        let first: Vec<String> = found().take(6).map(written).collect();
        assert_eq!(
            (first.join(",").as_str(), found().count().to_string().as_str()),
            (*shown, *number),
            "{line}"
        );
    }
}

fn any_rule() -> impl Strategy<Value = String> {
    let lines: Vec<String> = include_str!("tests/rules.txt")
        .lines()
        .map(|line| line.split('|').take(2).collect::<Vec<_>>().join("|"))
        .collect();
    proptest::sample::select(lines)
}

proptest! {
    /// Wherever a window is cut, its halves hold what it holds.
    #[test]
    fn two_windows_are_the_whole(line in any_rule(), days in 0i64..1000, first in 1i64..3000, second in 1i64..3000) {
        let (rule, start) = line.split_once('|').expect("two");
        let series = series(rule, start);
        let from = moment(start) + days * DAY;
        let (middle, to) = (from + first * 37, from + (first + second) * 37);
        let whole: Vec<i64> = series.between(from, to).collect();
        let halves: Vec<i64> = series.between(from, middle).chain(series.between(middle, to)).collect();
        prop_assert_eq!(&whole, &halves);
        prop_assert!(whole.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn reading_never_panics(rule in "(FREQ=(YEARLY|DAILY|SECONDLY);)?([A-Z]{2,10}=[-+0-9A-Z,]{0,12};?){0,5}", at in any::<i32>()) {
        if let Ok(rule) = rule.parse::<Rule>() {
            let series = Series::new(&rule, Start::Time(i64::from(at)), |utc| utc);
            let _ = series.between(i64::from(at), i64::from(at) + 400 * DAY).take(100).count();
        }
    }
}
