//! Fuzzing of every parser and every session: what a stranger can send must neither panic nor
//! break what always holds (input cut anywhere gives the same result, offsets lie within the
//! message, what was written can be read back).
//!
//! A target is a function of bytes. The smoke driver here ([`smoke`]) runs on the stable toolchain
//! in every test run; the same functions are linked by the libFuzzer targets in `libfuzzer/`.

mod mutate;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use mutate::Mutator;
pub use targets::{TARGETS, Target};

/// One input may take so long in a debug build before it counts as a hang: these are a few
/// kilobytes each.
const SLOW: Duration = Duration::from_secs(5);

/// Fewer inputs find nothing: on a slow machine it takes longer.
const FEWEST: u64 = 200;

/// Runs every seed of a target and then mutations of them for this long; returns how many inputs.
/// The order is the same in every run, so a failure comes again. With `save`, each input is written
/// to that file before it is run: a stack overflow leaves no time to do it afterwards.
pub fn smoke(target: &Target, time: Duration, save: Option<&Path>) -> Result<u64> {
    let seeds = seeds(target)?;
    let mut mutator = Mutator::new(target.name, &seeds, target.words);
    let started = Instant::now();
    let mut seeds = seeds.iter().cloned();
    let mut count = 0;
    loop {
        let input = match seeds.next() {
            Some(seed) => seed,
            None if started.elapsed() < time || count < FEWEST => mutator.next(),
            None => return Ok(count),
        };
        if let Some(file) = save {
            fs::write(file, &input).with_context(|| file.display().to_string())?;
        }
        run(target, &input)?;
        count += 1;
    }
}

/// Runs one input. If it fails, the input is written to a file that can be given to
/// `hub-fuzz TARGET --input FILE`.
pub fn run(target: &Target, input: &[u8]) -> Result<()> {
    let once = || {
        let started = Instant::now();
        let failed = catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err();
        (failed, started.elapsed())
    };
    let (mut failed, mut took) = once();
    if !failed && took >= SLOW {
        // Another program may have had the processor.
        (failed, took) = once();
    }
    if !failed && took < SLOW {
        return Ok(());
    }
    let file = std::env::temp_dir().join(format!("hub-fuzz-{}-{}", target.name, std::process::id()));
    fs::write(&file, input).with_context(|| format!("writing {}", file.display()))?;
    let what = if failed { "failed".to_owned() } else { format!("took {took:?}") };
    bail!("{} {what}: cargo run -p hub-fuzz -- {} --input {}", target.name, target.name, file.display());
}

/// The committed inputs of a target: `corpus/TARGET/*`.
fn seeds(target: &Target) -> Result<Vec<Vec<u8>>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    files.sort();
    files.iter().map(|file| fs::read(file).with_context(|| file.display().to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) {
        let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
        let seconds = std::env::var("HUB_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
        smoke(target, Duration::from_secs(seconds), None).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// One test for each target, so that they run side by side and fail by name.
    macro_rules! smoke_tests {
        ($($name:ident)*) => {
            $(#[test] fn $name() { check(stringify!($name)); })*

            #[test]
            fn every_target_has_a_test() {
                let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
                assert_eq!(names, [$(stringify!($name)),*]);
            }
        };
    }

    smoke_tests! {
        address config dav_fields dav_xml idset imap_grammar imap_session managesieve_session mime sasl sieve smtp_command smtp_framer smtp_session summary twin_record vcard
    }
}
