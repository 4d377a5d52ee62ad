//! How often a server syncs the disk for a message: counted by strace, at one connection and at
//! twenty. One at one connection is honest; far less at twenty is group commit.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

use crate::load::{Load, USERS};
use crate::report::{Better, Report};
use crate::server::Server;

const CALLS: &str = "fsync,fdatasync,syncfs,sync_file_range,msync";

pub(crate) fn count(server: &mut Server, report: &mut Report) -> Result<()> {
    ensure!(!server.processes().is_empty(), "the specification has no pidfile=");
    // Until it has done everything once (files made, tables touched).
    Load::deliveries(server, 50, USERS).over(5, 10).run(server)?;
    for (connections, messages) in [(1, 100), (20, 1000)] {
        let file = NamedTempFile::new()?;
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-e", &format!("trace={CALLS}"), "-o"]).arg(file.path());
        for pid in server.processes() {
            strace.args(["-p", &pid.to_string()]);
        }
        let mut strace = strace.stderr(Stdio::null()).spawn().context("strace (apt-get install strace)")?;
        std::thread::sleep(Duration::from_secs(1));
        let done = Load::deliveries(server, messages, USERS).over(connections, usize::MAX).run(server);
        // What is still on its way into the mailboxes belongs to it.
        std::thread::sleep(Duration::from_secs(2));
        let _ = Command::new("sh").args(["-c", &format!("kill -INT {}", strace.id())]).status();
        let _ = strace.wait();
        done?;
        let calls = total_calls(&fs::read_to_string(file.path())?);
        report.result(
            &format!("syncs per message x{connections}"),
            calls as f64 / messages as f64,
            "1",
            Better::Low,
        );
    }
    Ok(())
}

/// Sums the column `calls` of strace's table.
fn total_calls(table: &str) -> u64 {
    let of_line = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let name = columns.last()?;
        CALLS.split(',').any(|call| call == *name).then(|| columns.get(3)?.parse::<u64>().ok())?
    };
    table.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::total_calls;

    #[test]
    fn the_table_of_strace_is_summed() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n \
                      90.00    0.001000          10       100         2 fdatasync\n \
                      10.00    0.000100          10         7           fsync\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.001100          10       107         2 total\n";
        assert_eq!(total_calls(table), 107);
        assert_eq!(total_calls(""), 0);
    }
}
