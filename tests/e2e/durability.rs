//! A "250" or "OK" is a promise: the disk was synced before it was given. kill -9 cannot show that
//! (the kernel keeps what was written), so the system calls are watched.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::harness::{ALICE, Hub, PATIENCE, has_program, message};
use crate::postgres::signal;

/// strace on the server, or `None` if the system forbids it.
struct Watch {
    strace: Child,
    output: std::path::PathBuf,
}

impl Watch {
    fn start(hub: &Hub) -> Option<Self> {
        let output = hub.path("strace");
        let mut strace = Command::new("strace")
            .args([
                "-f",
                "-ttt",
                "-T",
                "-y",
                "-e",
                "trace=fsync,fdatasync",
                "-p",
                &hub.pid().to_string(),
                "-o",
            ])
            .arg(&output)
            .stderr(Stdio::null())
            .spawn()
            .expect("start of strace");
        let started = Instant::now();
        // Attached once the kernel names a tracer of every thread.
        while !all_threads_are_traced(hub.pid()) {
            if matches!(strace.try_wait(), Ok(Some(_))) || started.elapsed() > PATIENCE {
                let _ = writeln!(std::io::stderr(), "SKIPPED: strace may not attach to the server");
                let _ = strace.kill();
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { strace, output })
    }

    /// Start and end of every sync that succeeded, in seconds since 1970.
    fn syncs(mut self) -> Vec<(f64, f64)> {
        signal(&self.strace, "INT");
        let _ = self.strace.wait();
        let text = fs::read_to_string(&self.output).expect("strace's output");
        text.lines().filter_map(sync_times).collect()
    }
}

fn all_threads_are_traced(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.filter_map(Result::ok).all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

/// `1234 1760000000.123456 fdatasync(7</data/hub.db-wal>) = 0 <0.000200>`, or the second half of it
/// (`<... fdatasync resumed>`), whose time is that of its end.
fn sync_times(line: &str) -> Option<(f64, f64)> {
    let mut words = line.split_whitespace().skip(1);
    let time: f64 = words.next()?.parse().ok()?;
    let took: f64 = line.rsplit_once('<')?.1.strip_suffix('>')?.parse().ok()?;
    if !line.contains(" = 0 ") {
        return None;
    }
    Some(if line.contains("resumed>") { (time - took, time) } else { (time, time + took) })
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

#[test]
fn rfc5321_6_1_the_disk_is_synced_before_the_250() {
    if !has_program("strace", "strace") {
        return;
    }
    let hub = Hub::start();
    let mut smtp = hub.smtp();
    let mut imap = hub.imap(ALICE);
    // Small ones go into the database, large ones into files.
    let large = "0123456789abcdef0123456789abcdef\r\n".repeat(8000);
    let letter = |n: usize| {
        let body = if n.is_multiple_of(3) { large.replace('0', &n.to_string()) } else { format!("{n}\r\n") };
        message("a@x.test", ALICE, &format!("letter {n}"), &body)
    };
    smtp.send("a@x.test", &[ALICE], &letter(1000)).expect_code(250);
    let Some(watch) = Watch::start(&hub) else { return };
    let mut promises = Vec::new();
    for n in 0..12 {
        let before = now();
        if n % 2 == 0 {
            smtp.send("a@x.test", &[ALICE], &letter(n)).expect_code(250);
        } else {
            imap.append("Archive", "", &letter(n));
        }
        promises.push((n, before, now()));
    }
    let syncs = watch.syncs();
    for (n, before, after) in promises {
        let within = syncs.iter().filter(|(start, end)| *start >= before && *end <= after).count();
        assert!(within > 0, "letter {n} was acknowledged without a sync; syncs: {syncs:?}");
        // One group is one sync (a checkpoint may add some); a large message adds its file and folders.
        let most = if n % 3 == 0 { 8 } else { 4 };
        assert!(within <= most, "{within} syncs for letter {n}");
    }
}

#[test]
fn straces_lines_are_understood() {
    for (line, times) in [
        ("12 100.5 fdatasync(7</d/hub.db-wal>) = 0 <0.25>", Some((100.5, 100.75))),
        ("12 100.75 <... fsync resumed>) = 0 <0.25>", Some((100.5, 100.75))),
        ("12 100.5 fdatasync(7</d/hub.db-wal> <unfinished ...>", None),
        ("12 100.5 fdatasync(7) = -1 EIO (Input/output error) <0.25>", None),
        ("12 100.5 --- SIGINT ---", None),
    ] {
        assert_eq!(sync_times(line), times, "{line}");
    }
}
