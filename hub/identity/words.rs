//! A recovery key in words (BIP-39, English): 24 of 2,048 words, the last of which holds a check sum.

use std::fmt;
use std::str::FromStr;

use bip39::{Language, Mnemonic};

use crate::Refusal;

/// The 32 octets of a key in 24 words. It prints nothing of itself but by [`Words::text`].
pub struct Words(Mnemonic);

impl Words {
    pub(crate) fn of(entropy: &[u8; 32]) -> Self {
        Self(Mnemonic::from_entropy_in(Language::English, entropy).expect("32 octets make 24 words"))
    }

    pub(crate) fn entropy(&self) -> [u8; 32] {
        let (octets, _) = self.0.to_entropy_array();
        std::array::from_fn(|at| octets[at])
    }

    /// The words with spaces between them.
    pub fn text(&self) -> String {
        self.0.words().collect::<Vec<_>>().join(" ")
    }
}

/// As people type them: in any case, with any space. The sum shows a wrong or misplaced word.
impl FromStr for Words {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let words: Vec<String> = text.split_whitespace().take(25).map(str::to_lowercase).collect();
        let parsed = Mnemonic::parse_in_normalized(Language::English, &words.join(" "));
        let whole = parsed.ok().filter(|words| words.word_count() == 24);
        whole.map(Self).ok_or(Refusal::Malformed("recovery words"))
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SecretKey;

    #[test]
    fn bip39_vectors() {
        let check = |entropy: [u8; 32], text: &str| {
            assert_eq!(Words::of(&entropy).text(), text);
            assert_eq!(text.parse::<Words>().expect("words").entropy(), entropy);
        };
        check([0; 32], &format!("{}art", "abandon ".repeat(23)));
        check([0xff; 32], &format!("{}vote", "zoo ".repeat(23)));
        check(
            [0x7f; 32],
            "legal winner thank year wave sausage worth useful legal winner thank year wave \
            sausage worth useful legal winner thank year wave sausage worth title",
        );
    }

    #[test]
    fn words_as_people_type_them() {
        let text = format!("  {}\n ART ", "Abandon\t".repeat(23));
        assert_eq!(text.parse::<Words>().expect("words").entropy(), [0; 32]);
        let twelve = format!("{}about", "abandon ".repeat(11));
        let unsure = format!("{}vote", "abandon ".repeat(23));
        let more = format!("{}art art", "abandon ".repeat(23));
        for text in ["", "abandon", &twelve, &unsure, &more, &"x ".repeat(24)] {
            assert_eq!(text.parse::<Words>().err(), Some(Refusal::Malformed("recovery words")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn keys_come_back(seed: [u8; 32]) {
            let key = SecretKey::from_seed(&seed).expect("a key");
            let words = key.to_words().text();
            prop_assert_eq!(words.split(' ').count(), 24);
            let again = SecretKey::from_words(&words.parse().expect("words")).expect("a key");
            prop_assert_eq!(again.public(), key.public());
        }
    }
}
