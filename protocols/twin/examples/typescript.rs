//! Writes the table of methods as TypeScript, for the client in `js`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(hub_twin::typescript().as_bytes())
}
