//! `hub-fuzz [TARGET…] [--seconds N]`: the smoke driver for longer runs and for single inputs.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use hub_fuzz::{TARGETS, Target, run, smoke};

#[derive(Parser)]
#[command(about = "Fuzzing of the hub's parsers and sessions on the stable toolchain.")]
struct Arguments {
    /// Targets; all if none is named.
    targets: Vec<String>,
    /// Time for each target.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Run this one input instead.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Write each input to this file before running it (to find one that aborts the process).
    #[arg(long)]
    save: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout();
    for target in chosen(&arguments.targets)? {
        if let Some(file) = &arguments.input {
            let input = std::fs::read(file).with_context(|| file.display().to_string())?;
            run(target, &input)?;
            writeln!(out, "{}: fine", target.name)?;
        } else {
            let count = smoke(target, Duration::from_secs(arguments.seconds), arguments.save.as_deref())?;
            writeln!(out, "{}: {count} inputs in {} s", target.name, arguments.seconds)?;
        }
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<&'static Target>> {
    if names.is_empty() {
        return Ok(TARGETS.iter().collect());
    }
    let find = |name: &String| match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => Ok(target),
        None => {
            let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            bail!("there is no target {name:?}; there are {}", known.join(", "))
        }
    };
    names.iter().map(find).collect()
}
