//! Mutations of seeds, the same in every run: no coverage feedback, but words of the format.

pub(crate) struct Mutator<'a> {
    state: u64,
    seeds: &'a [Vec<u8>],
    words: &'a [&'a [u8]],
}

/// Inputs stay small: depth and length limits are below this, and speed finds more than size.
const LONGEST: usize = 64 << 10;

impl<'a> Mutator<'a> {
    pub(crate) fn new(name: &str, seeds: &'a [Vec<u8>], words: &'a [&'a [u8]]) -> Self {
        let state = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state, seeds, words }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.random() % limit.max(1) as u64) as usize
    }

    fn seed(&mut self) -> &'a [u8] {
        let at = self.below(self.seeds.len());
        self.seeds.get(at).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        for _ in 0..1 + self.below(6) {
            self.mutate(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let length = match self.below(4) {
            0 => self.below(input.len() - at + 1),
            _ => self.below(16).min(input.len() - at),
        };
        match self.below(10) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << (self.random() % 8);
                }
            }
            1 => {
                if at < input.len() {
                    input[at] = self.interesting_byte();
                }
            }
            2 => {
                let byte = self.interesting_byte();
                input.insert(at, byte);
            }
            3 => drop(input.drain(at..at + length)),
            4 => {
                // Repetition: nesting, long lines, many fields.
                let piece = input[at..at + length].to_vec();
                let most = if self.below(20) == 0 { 500 } else { 4 };
                let times = 1 + self.below(most);
                let repeated = piece.repeat(times);
                input.splice(at..at, repeated.into_iter().take(LONGEST));
            }
            5 | 6 if !self.words.is_empty() => {
                let word = self.words[self.below(self.words.len())];
                let replaced = if self.below(2) == 0 { 0 } else { length };
                input.splice(at..at + replaced, word.iter().copied());
            }
            7 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                let to = from + self.below(other.len() - from + 1);
                input.splice(at..at + length, other[from..to].iter().copied());
            }
            8 => input.truncate(at),
            _ => {
                // A number becomes another one.
                let digits = input.iter().position(u8::is_ascii_digit);
                if let Some(start) = digits {
                    let end = start + input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    let number =
                        ["0", "1", "2147483648", "4294967295", "18446744073709551616", "-1", "00000000001"];
                    let number = number[self.below(number.len())];
                    input.splice(start..end, number.bytes());
                }
            }
        }
    }

    fn interesting_byte(&mut self) -> u8 {
        const BYTES: &[u8] = b"\0\t\r\n \"\\(){}[]<>@,;:=%*+-./0aZ~\x7f\x80\xc3\xff";
        match self.below(3) {
            0 => self.random() as u8,
            _ => BYTES[self.below(BYTES.len())],
        }
    }
}
