//! The direction to the client.

use std::io;

use flate2::{Compress, Compression, FlushCompress};

#[derive(Default)]
pub(super) struct Deflater {
    /// Made when it is needed. At a byte boundary behind a flush a new one, which refers to nothing
    /// that was said before, can go on for one that was given back.
    codec: Option<Compress>,
    /// Compressed and not yet taken by the connection, from `written` on.
    pub(super) packed: Vec<u8>,
    pub(super) written: usize,
    /// Something was compressed since the last flush.
    unflushed: bool,
}

impl Deflater {
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.compress(bytes, FlushCompress::None)?;
            bytes = &bytes[taken..];
            self.unflushed = true;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.unflushed {
            self.compress(&[], FlushCompress::Sync)?;
            // A full buffer may have cut the flush short.
            self.unflushed = self.packed.len() == self.packed.capacity();
        }
        Ok(())
    }

    /// Returns how much was taken.
    fn compress(&mut self, bytes: &[u8], flush: FlushCompress) -> io::Result<usize> {
        // The fastest level: IMAP's responses shrink to a third or a quarter of their size with it.
        let codec = self.codec.get_or_insert_with(|| Compress::new(Compression::fast(), false));
        self.packed.reserve(bytes.len() / 2 + 256);
        let before = codec.total_in();
        codec.compress_vec(bytes, &mut self.packed, flush)?;
        Ok((codec.total_in() - before) as usize)
    }

    /// Gives back all memory, if nothing waits to be flushed.
    pub(super) fn rest(&mut self) {
        if !self.unflushed && self.packed.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};

    use super::*;

    #[test]
    fn a_compressor_can_be_given_back_between_flushes() {
        let mut deflater = Deflater::default();
        let mut decompress = Decompress::new(false);
        let text = b"* 1 FETCH (FLAGS (\\Seen) UID 1)\r\n".repeat(100);
        for round in 0..10 {
            deflater.write(&text).expect("deflated");
            deflater.flush().expect("flushed");
            let packed = std::mem::take(&mut deflater.packed);
            let mut plain = Vec::with_capacity(2 * text.len());
            decompress.decompress_vec(&packed, &mut plain, FlushDecompress::None).expect("inflated");
            assert!(plain == text, "round {round}");
            deflater.rest();
            assert!(deflater.codec.is_none());
        }
    }
}
