//! The direction from the client.
//!
//! A client may refer to anything within its last 32 KiB, so that much must be kept, but not as it is:
//! between two blocks, where every flush ends, a decoder is nothing but its window and a few bits, and
//! the window is what the client has said so far, packed.

use std::io;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY,
};
use miniz_oxide::inflate::core::{BlockBoundaryState, DecompressorOxide, decompress};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

/// RFC 1951 §2: distances reach back so far.
const WINDOW: usize = 32 << 10;
/// Commands shrink to a fifth with it, in a tenth of a millisecond.
const LEVEL: u8 = 3;

pub(super) struct Inflater {
    codec: Codec,
    /// Where in the window the next byte goes.
    end: usize,
    /// How much of the window has been written to.
    used: usize,
    /// Inflated and not yet read: so many bytes before `end`.
    unread: usize,
    /// Received and not yet inflated.
    packed: Vec<u8>,
    /// More can be inflated without more input.
    has_more: bool,
    /// A block has ended and no other begun.
    between_blocks: bool,
    /// The client has ended the connection or its stream.
    ended: bool,
}

enum Codec {
    /// The state, none at the very beginning, and the used part of the window, packed.
    Asleep(Option<BlockBoundaryState>, Vec<u8>),
    /// 11 KiB, and the window, a ring that is the output buffer at the same time.
    Awake(Box<DecompressorOxide>, Vec<u8>),
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            codec: Codec::Asleep(None, Vec::new()),
            end: 0,
            used: 0,
            unread: 0,
            packed: Vec::new(),
            has_more: false,
            between_blocks: true,
            ended: false,
        }
    }
}

impl Inflater {
    /// What is inflated and not yet read.
    pub(super) fn plain(&self) -> &[u8] {
        match &self.codec {
            // An end of 0 is that of the ring.
            Codec::Awake(_, window) if self.unread > 0 => {
                let end = if self.end == 0 { WINDOW } else { self.end };
                &window[end - self.unread..end]
            }
            _ => &[],
        }
    }

    /// So many bytes of it were read.
    pub(super) fn advance(&mut self, count: usize) {
        self.unread -= count.min(self.unread);
    }

    /// Takes bytes as they came.
    pub(super) fn take(&mut self, packed: &[u8]) {
        self.packed.extend_from_slice(packed);
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Inflates the next piece, if the last has been read.
    pub(super) fn inflate(&mut self) -> io::Result<()> {
        while self.unread == 0 && !self.ended && (self.has_more || !self.packed.is_empty()) {
            let (codec, window) = wake(&mut self.codec, self.used)?;
            let flags = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY;
            let (status, taken, made) = decompress(codec, &self.packed, window, self.end, flags);
            self.packed.drain(..taken);
            self.unread = made;
            self.used = self.used.max(self.end + made);
            self.end = (self.end + made) % WINDOW;
            self.has_more = status == TINFLStatus::HasMoreOutput;
            self.between_blocks = status == TINFLStatus::BlockBoundary;
            match status {
                TINFLStatus::BlockBoundary | TINFLStatus::HasMoreOutput | TINFLStatus::NeedsMoreInput => {}
                TINFLStatus::Done => self.ended = true,
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the input is not compressed")),
            }
        }
        Ok(())
    }

    pub(super) fn is_drained(&self) -> bool {
        self.unread == 0 && self.packed.is_empty() && !self.has_more && !self.ended
    }

    /// Gives back what can be given back while nothing comes.
    pub(super) fn rest(&mut self) {
        if !self.is_drained() {
            return;
        }
        self.packed = Vec::new();
        if let Codec::Awake(codec, window) = &self.codec
            && self.between_blocks
            && let Some(state) = codec.block_boundary_state()
        {
            let mut packed = compress_to_vec(&window[..self.used], LEVEL);
            packed.shrink_to_fit();
            self.codec = Codec::Asleep(Some(state), packed);
        }
    }
}

fn wake(codec: &mut Codec, used: usize) -> io::Result<(&mut DecompressorOxide, &mut [u8])> {
    if let Codec::Asleep(state, packed) = codec {
        let mut window = match packed.is_empty() {
            true => Vec::new(),
            false => decompress_to_vec_with_limit(packed, used)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?,
        };
        window.resize(WINDOW, 0);
        let state = state.as_ref();
        let decoder = state.map_or_else(Default::default, DecompressorOxide::from_block_boundary_state);
        *codec = Codec::Awake(Box::new(decoder), window);
    }
    match codec {
        Codec::Awake(decoder, window) => Ok((decoder, window)),
        Codec::Asleep(..) => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::deflate::Deflater;
    use super::*;

    /// Takes a piece and reads all that can be inflated.
    fn read(inflater: &mut Inflater, piece: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
        inflater.take(piece);
        loop {
            inflater.inflate()?;
            let (first, rest) = inflater.plain().split_at(inflater.plain().len().min(1000));
            if first.is_empty() {
                break;
            }
            assert!(first.len() + rest.len() <= WINDOW, "a piece at a time");
            plain.extend_from_slice(first);
            let count = first.len();
            inflater.advance(count);
        }
        assert!(inflater.is_drained() || inflater.has_ended());
        Ok(())
    }

    fn packed(deflater: &mut Deflater, bytes: &[u8]) -> Vec<u8> {
        deflater.write(bytes).expect("deflated");
        deflater.flush().expect("flushed");
        std::mem::take(&mut deflater.packed)
    }

    /// Bytes that a sleeping one keeps; `None` if it is awake.
    fn kept(inflater: &Inflater) -> Option<usize> {
        match &inflater.codec {
            Codec::Asleep(_, packed) => Some(packed.capacity() + inflater.packed.capacity()),
            Codec::Awake(..) => None,
        }
    }

    #[test]
    fn a_bomb_is_unpacked_in_pieces() {
        let bomb = packed(&mut Deflater::default(), &vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        let mut plain = Vec::new();
        read(&mut Inflater::default(), &bomb, &mut plain).expect("inflated");
        assert!(plain.len() == 64 << 20 && plain.iter().all(|&byte| byte == 0));
    }

    #[test]
    fn garbage_is_an_error() {
        let garbage = b"a NOOP\r\nb NOOP\r\n";
        assert!(read(&mut Inflater::default(), garbage, &mut Vec::new()).is_err());
    }

    #[test]
    fn it_sleeps_between_flushes_and_not_within_a_block() {
        let (mut deflater, mut inflater) = (Deflater::default(), Inflater::default());
        let mut plain = Vec::new();
        let mut commands = String::new();
        for n in 0..5_000 {
            let command = format!("{n} UID FETCH {}:* (UID FLAGS)\r\n", n * n % 977);
            commands.push_str(&command);
            read(&mut inflater, &packed(&mut deflater, command.as_bytes()), &mut plain).expect("inflated");
            if n % 97 == 0 {
                inflater.rest();
                assert!(kept(&inflater).is_some_and(|bytes| bytes < WINDOW / 2), "{:?}", kept(&inflater));
            }
        }
        assert_eq!(plain, commands.as_bytes());
        let flush = packed(&mut deflater, b"5000 NOOP\r\n");
        let (first, second) = flush.split_at(4);
        read(&mut inflater, first, &mut plain).expect("inflated");
        inflater.rest();
        assert_eq!(kept(&inflater), None);
        read(&mut inflater, second, &mut plain).expect("inflated");
        assert!(plain.ends_with(b"5000 NOOP\r\n"));
    }

    proptest! {
        #[test]
        fn all_that_was_flushed_arrives_wherever_it_is_cut(
            batches in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 1..300), 1usize..200), 1..6),
            size in 1usize..50,
            rest_every in 1usize..5,
        ) {
            let mut deflater = Deflater::default();
            let (mut stream, mut expected) = (Vec::new(), Vec::new());
            let (mut whole, mut plain) = (Inflater::default(), Vec::new());
            for (n, (bytes, times)) in batches.iter().enumerate() {
                let batch = packed(&mut deflater, &bytes.repeat(*times));
                expected.extend(bytes.repeat(*times));
                read(&mut whole, &batch, &mut plain).expect("inflated");
                prop_assert!(plain == expected, "nothing of a batch is held back");
                stream.extend_from_slice(&batch);
                if n % rest_every == 0 {
                    whole.rest();
                    prop_assert!(kept(&whole).is_some());
                }
            }
            let (mut cut, mut plain) = (Inflater::default(), Vec::new());
            for (n, piece) in stream.chunks(size).enumerate() {
                read(&mut cut, piece, &mut plain).expect("inflated");
                if n % rest_every == 0 {
                    cut.rest();
                }
            }
            prop_assert!(plain == expected);
        }

        #[test]
        fn any_input_is_inflated_or_refused(bytes: Vec<u8>, size in 1usize..20) {
            let mut inflater = Inflater::default();
            for piece in bytes.chunks(size) {
                if read(&mut inflater, piece, &mut Vec::new()).is_err() {
                    break;
                }
                inflater.rest();
            }
        }
    }
}
