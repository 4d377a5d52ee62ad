//! Signing mail (DKIM, RFC 6376 and 8463) and sealing it when it is passed on (ARC, RFC 8617).
//!
//! Pure: keys and bytes go in, header fields come out. It must not know storage, sockets or a clock.
//! The cryptography is mail-auth's and aws-lc's. What checks signatures (`hub-mailauth`) shares the
//! reading of tag lists and chains.

mod body;
mod chain;
mod key;
mod seal;
mod sign;
mod tags;

pub use body::{BodyHash, hashes};
pub use chain::{Chain, Field, Set, State, algorithm, fields, read};
pub use key::{Algorithm, Signer, generate};
pub use seal::seal;
pub use sign::sign;
pub use tags::{Tags, without_signature};
