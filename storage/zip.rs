//! zstd with contexts that are kept per thread: making one costs more than packing a small mail.

use std::cell::RefCell;
use std::io;

use zstd::bulk::Compressor;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// Level 3 would make small mails 1 % smaller and take half as long again.
const LEVEL: i32 = 1;

thread_local! {
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decoder<'static>>> = const { RefCell::new(None) };
}

pub(crate) fn pack(plain: &[u8]) -> io::Result<Vec<u8>> {
    PACKER.with_borrow_mut(|slot| {
        let packer = match slot {
            Some(packer) => packer,
            None => slot.insert(Compressor::new(LEVEL)?),
        };
        packer.compress(plain)
    })
}

/// The first `length` bytes of what was packed; no more is unpacked than that. An error if there
/// are fewer.
pub(crate) fn unpack(packed: &[u8], length: usize) -> io::Result<Vec<u8>> {
    UNPACKER.with_borrow_mut(|slot| {
        let decoder = match slot {
            Some(decoder) => {
                decoder.reinit()?;
                decoder
            }
            None => slot.insert(Decoder::new()?),
        };
        let mut plain = Vec::with_capacity(length);
        let mut input = InBuffer::around(packed);
        let mut output = OutBuffer::around(&mut plain);
        while output.pos() < length {
            let before = (input.pos(), output.pos());
            let more = decoder.run(&mut input, &mut output)?;
            if more == 0 || before == (input.pos(), output.pos()) {
                break;
            }
        }
        if plain.len() < length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "fewer bytes than expected"));
        }
        Ok(plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_start_can_be_unpacked(plain in proptest::collection::vec(0u8..4, 0..5_000), cut in 0usize..5_001) {
            let packed = pack(&plain).expect("packs");
            let cut = cut.min(plain.len());
            prop_assert_eq!(&unpack(&packed, cut).expect("unpacks"), &plain[..cut]);
            prop_assert!(unpack(&packed, plain.len() + 1).is_err());
        }

        #[test]
        fn damaged_bytes_are_an_error_or_other_bytes(packed in proptest::collection::vec(any::<u8>(), 0..200)) {
            // And the next use of the same context is not harmed.
            let _ = unpack(&packed, 100);
            prop_assert_eq!(unpack(&pack(b"fine").expect("packs"), 4).expect("unpacks"), b"fine");
        }
    }

    #[test]
    fn large_texts_come_back() {
        let plain: Vec<u8> = (0..3_000_000u32).flat_map(|n| (n / 7).to_be_bytes()).collect();
        let packed = pack(&plain).expect("packs");
        assert_eq!(unpack(&packed, plain.len()).expect("unpacks"), plain);
        assert_eq!(unpack(&packed, 700_001).expect("unpacks"), plain[..700_001]);
    }
}
