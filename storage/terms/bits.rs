//! Numbers in as few bits as their size asks for, one after the other.

/// Puts bits together, the highest of a byte first.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The last bits, at the low end; fewer than 8 between calls.
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// The lowest `width` bits of `value`; at most 32.
    pub(super) fn put(&mut self, value: u32, width: u32) {
        self.pending = self.pending << width | (u64::from(value) & ((1 << width) - 1));
        self.count += width;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
    }

    /// Elias gamma code of a number above zero: its length in zeros, then itself.
    pub(super) fn put_gamma(&mut self, value: u32) {
        let width = value.ilog2();
        self.put(0, width);
        // A one and `width` bits below it; a width of 31 makes that 32 bits.
        self.put(value, width + 1);
    }

    /// Rice code: the part above the lowest `k` bits in ones' place, then those bits.
    pub(super) fn put_rice(&mut self, value: u32, k: u32) {
        let mut zeros = value >> k;
        while zeros > 31 {
            self.put(0, 32);
            zeros -= 32;
        }
        self.put(1, zeros + 1);
        self.put(value, k);
    }

    /// The bytes, filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
        self.bytes
    }
}

/// Reads what a [`BitWriter`] wrote. `None` where the bytes end too early.
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    /// The next bits, at the high end.
    window: u64,
    /// How many of them are valid; what lies below is what will be read next, or zeros.
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, window: 0, count: 0 }
    }

    /// Fills the window with at least 56 bits, if there are so many.
    fn refill(&mut self) {
        if let Some(next) = self.rest.first_chunk::<8>() {
            self.window |= u64::from_be_bytes(*next) >> self.count;
            let taken = (63 - self.count) / 8;
            self.rest = &self.rest[taken as usize..];
            self.count += taken * 8;
            return;
        }
        while self.count <= 55 {
            let Some((&byte, rest)) = self.rest.split_first() else { return };
            self.rest = rest;
            self.window |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn skip(&mut self, width: u32) {
        self.window <<= width;
        self.count -= width;
    }

    /// At most 32 bits.
    pub(super) fn take(&mut self, width: u32) -> Option<u32> {
        if self.count < width {
            self.refill();
            if self.count < width {
                return None;
            }
        }
        // Shifted in two steps, because a width of 0 would shift by 64.
        let value = (self.window >> 32 >> (32 - width)) as u32;
        self.skip(width);
        Some(value)
    }

    /// The number of zeros before the next one, which is taken too.
    fn take_zeros(&mut self) -> Option<u32> {
        let mut zeros = 0u32;
        loop {
            let here = self.window.leading_zeros();
            if here < self.count {
                self.skip(here + 1);
                return zeros.checked_add(here);
            }
            zeros = zeros.checked_add(self.count)?;
            self.skip(self.count);
            self.refill();
            if self.count == 0 {
                return None;
            }
        }
    }

    pub(super) fn take_gamma(&mut self) -> Option<u32> {
        let width = self.take_zeros()?;
        if width > 31 {
            return None;
        }
        Some(1 << width | self.take(width)?)
    }

    pub(super) fn take_rice(&mut self, k: u32) -> Option<u32> {
        let high = self.take_zeros()?;
        let low = self.take(k)?;
        high.checked_mul(1 << k)?.checked_add(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_read_back(numbers in proptest::collection::vec((1u32.., 0u32..20_000, 0u32..14), 0..60)) {
            let mut writer = BitWriter::default();
            for &(gamma, rice, k) in &numbers {
                writer.put_gamma(gamma);
                writer.put_rice(rice, k);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for &(gamma, rice, k) in &numbers {
                prop_assert_eq!(reader.take_gamma(), Some(gamma));
                prop_assert_eq!(reader.take_rice(k), Some(rice));
            }
            // Filled up with fewer than 8 zeros, and nothing behind.
            prop_assert_eq!(reader.take_gamma(), None);
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..40), k in 0u32..31) {
            let mut reader = BitReader::new(&bytes);
            while reader.take_gamma().is_some() && reader.take_rice(k).is_some() {}
        }
    }
}
