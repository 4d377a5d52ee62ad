//! One binary for all targets; `HUB_FUZZ_TARGET` chooses.
#![no_main]

use std::sync::LazyLock;

use hub_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("HUB_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("HUB_FUZZ_TARGET={name:?}: see tests/fuzz/README.md for the targets"))
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
