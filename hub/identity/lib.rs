//! Who a twin is, whatever hub it lives on: its id, its keys, and the signed record of both.
//!
//! Pure: bytes, keys and the time go in, verified values come out. It must not know storage, sockets or a
//! clock. The cryptography is aws-lc's.
//!
//! - RFC 8785 (JSON Canonicalization Scheme), over strings, integers, arrays and objects only
//! - RFC 8032 (Ed25519), RFC 4648 §5 and §6 (base64url, base32, both without padding)
//! - BIP-39 (words of a recovery key)
//!
//! A **record** says under which handle a twin is found, on which hubs, and which keys speak for it. Its
//! first version, the genesis, makes the twin's **id**: no other record can have it, so an id needs no
//! register. Each later version names the hash of the one before and is signed by one of the keys that
//! the one before allows to rotate. These are ranked: what a key has signed, one of a higher rank may
//! overrule within 72 hours, so that a hub whose key was stolen, or that has turned against its twin, does
//! not have the last word. The highest rank is meant for the recovery key, which only the twin itself has.

mod encoding;
pub mod fuzz;
mod handle;
mod history;
mod json;
mod key;
mod record;
mod refusal;
mod words;

pub use encoding::{Hash, TwinId};
pub use handle::Handle;
pub use history::{History, Merged, OVERRULE_WITHIN};
pub use json::{JsonError, Object, Value};
pub use key::{PublicKey, SecretKey, Signature};
pub use record::{Custody, Draft, LONGEST, Record};
pub use refusal::Refusal;
pub use words::Words;
