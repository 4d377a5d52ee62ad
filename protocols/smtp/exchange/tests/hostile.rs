//! Domains that want to be sent to for ever.

use std::fmt::Write as _;

use test_dns::{Fault, Names};

use super::{World, world};
use crate::sink::{but, offering};

async fn hostile(records: String) -> World {
    world(|_| Names::signed(&records).fault("endless.test.", Fault::Endless), |_| {}).await
}

/// Of hundreds of hosts twenty are looked for (RFC 5321 §5.1 asks for two at least), and the next attempt
/// finds in memory what is not there.
#[tokio::test]
async fn hosts_by_the_hundred_cost_a_bounded_number_of_questions() {
    let mut records = String::new();
    for n in 0..200 {
        let _ = writeln!(records, "many.test. MX 10 h{n}.many.test.");
    }
    let world = hostile(records).await;
    let answer = world.reach("many.test").await;
    assert!(answer.as_ref().is_err_and(|why| why.starts_with("never: 550 5.1.2")), "{answer:?}");
    let asked = world.dns.questions();
    // Two families each, validated; the policies of the domain, and the keys above them.
    assert!(asked <= 2 * 2 * 20 + 20, "{asked} questions");
}

/// Hosts that lead from alias to alias: what cannot be told is tried again later.
#[tokio::test]
async fn hosts_behind_endless_aliases_cost_a_bounded_number_of_questions() {
    let mut records = String::new();
    for n in 1..=200 {
        let _ = writeln!(records, "far.test. MX 10 {n}000.endless.test.");
    }
    let world = hostile(records).await;
    let answer = world.reach("far.test").await;
    assert!(answer.as_ref().is_err_and(|why| why.starts_with("later: 451 4.4.3")), "{answer:?}");
    let asked = world.dns.questions();
    assert!(asked <= 20 * 2 * 12, "{asked} questions");
}

/// One host with hundreds of addresses, none of which wants mail now.
#[tokio::test]
async fn of_addresses_by_the_hundred_a_few_are_tried() {
    let mut records = String::from("wide.test. MX 10 mx.wide.test.\n");
    let _ = writeln!(records, "mx.wide.test. A 127.0.0.21");
    for n in 0..200 {
        let _ = writeln!(records, "mx.wide.test. A 127.0.9.{n}");
    }
    let world = hostile(records).await;
    let mut sinks = Vec::new();
    for n in 0..200 {
        let address = (std::net::Ipv4Addr::new(127, 0, 9, n), world.port).into();
        let busy = but("CONNECT", Some("421 4.3.2 not now"), offering(&[]));
        sinks.push(crate::sink::Sink::start(address, busy, None).await);
    }
    let answer = world.reach("wide.test").await;
    assert!(answer.as_ref().is_err_and(|why| why.starts_with("later: ")), "{answer:?}");
    let tried: usize = sinks.iter().map(crate::sink::Sink::connections).sum();
    assert!((1..=8).contains(&tried), "{tried} connections");
}
