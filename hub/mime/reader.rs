//! Reads back what `wire` and its users have written: strings, NIL and lists.

/// Stands somewhere in wire bytes of our own making.
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// A string, NIL, a number, or a list of such.
    pub(crate) fn value(&mut self) -> Option<&'a [u8]> {
        let start = self.rest;
        let mut depth = 0usize;
        loop {
            match *self.rest.first()? {
                b'(' => {
                    depth += 1;
                    self.rest = &self.rest[1..];
                    continue;
                }
                b')' => {
                    depth = depth.checked_sub(1)?;
                    self.rest = &self.rest[1..];
                }
                b'"' => self.pass_quoted()?,
                b'{' => self.pass_literal()?,
                b' ' if depth > 0 => {
                    self.rest = &self.rest[1..];
                    continue;
                }
                _ => {
                    let end =
                        self.rest.iter().position(|byte| b" ()\"{".contains(byte)).filter(|&end| end > 0)?;
                    self.rest = &self.rest[end..];
                }
            }
            if depth == 0 {
                return Some(&start[..start.len() - self.rest.len()]);
            }
        }
    }

    fn pass_quoted(&mut self) -> Option<()> {
        let mut at = 1;
        while *self.rest.get(at)? != b'"' {
            at += if self.rest[at] == b'\\' { 2 } else { 1 };
        }
        self.rest = &self.rest[at + 1..];
        Some(())
    }

    fn pass_literal(&mut self) -> Option<()> {
        let end = self.rest.iter().position(|&byte| byte == b'}')?;
        let length: usize = std::str::from_utf8(&self.rest[1..end]).ok()?.parse().ok()?;
        self.rest = self.rest.get(end + 3..)?.get(length..)?;
        Some(())
    }

    /// Takes `byte` if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.rest.first() == Some(&byte);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }
}
