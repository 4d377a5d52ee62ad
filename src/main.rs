//! The binary: arguments, wiring, shutdown. It knows every room and holds no rule.

mod acme;
mod admin;
mod banner;
mod calendars;
mod check;
mod cli;
mod commands;
mod control;
mod data_dir;
mod dns;
mod document;
mod files;
mod identity;
mod listeners;
mod log;
mod phonebook;
mod queue;
mod reports;
mod rooms;
mod rules;
mod serve;
mod services;
mod settings;
mod setup;
mod sieve;
mod text;
mod tokens;
mod transfer;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use hub_config::LogLevel;

use crate::cli::{Cli, Command};
use crate::setup::Setup;

/// Threads for files and long computations at most, and how long an idle one stays: each keeps some memory
/// of its own, and a hundred connections that bring large messages need no hundred of them.
const BLOCKING_THREADS: usize = 64;
const BLOCKING_IDLE: Duration = Duration::from_secs(2);

/// Mail is many small allocations on many threads: what mimalloc is for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Whatever is made here (database, mail, keys, logs) is nobody else's to read, also in a data
    // directory that somebody made with open permissions.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("twinhub: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    if let Command::Config = cli.command {
        text::print(&hub_config::Config::reference())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::DocumentText = cli.command {
        document::print_text()?;
        return Ok(ExitCode::SUCCESS);
    }
    // `check` goes on with a broken configuration, and says so.
    let setup = match (&cli.command, Setup::load(&cli.global)) {
        (Command::Check { .. }, Err(error)) => return check::without_configuration(&error),
        (_, setup) => setup?,
    };
    let level = match (&cli.command, setup.config.log.level) {
        (Command::Serve(_), level) => level,
        // What a command did, it prints; only what it could not do well is logged.
        (_, LogLevel::Info) => LogLevel::Warn,
        (_, level) => level,
    };
    log::start(&setup.config.log, level.as_str());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(BLOCKING_IDLE)
        .enable_all()
        .build()
        .context("cannot start threads")?;
    runtime.block_on(async {
        match cli.command {
            Command::Alias(command) => commands::alias(&setup, command).await?,
            Command::Token(command) => tokens::run(&setup, command).await?,
            Command::AppPassword(command) => commands::app_password(&setup, command).await?,
            Command::Calendars(command) => calendars::run(&setup, command).await?,
            Command::Check { domain } => return check::run(&setup, domain.as_deref()).await,
            Command::Config | Command::DocumentText => {}
            Command::Export(options) => transfer::export(&setup, &options).await?,
            Command::Import(options) => transfer::import(&setup, &options).await?,
            Command::Dns { domain } => dns::run(&setup, &domain).await?,
            Command::Domain(command) => commands::domain(&setup, command).await?,
            Command::Files(command) => files::run(&setup, command).await?,
            Command::Phonebook(command) => phonebook::run(&setup, command).await?,
            Command::Queue(command) => queue::run(&setup, command).await?,
            Command::Junk(command) => commands::junk(&setup, command).await?,
            Command::Reports(command) => commands::reports(&setup, command).await?,
            Command::Room(command) => rooms::run(&setup, command).await?,
            Command::Sieve(command) => sieve::run(&setup, command).await?,
            Command::Serve(options) => serve::run(&setup, &options).await?,
            Command::Twin(command) => commands::twin(&setup, command).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}
