//! How much a script may cost, in its text and in its run.

/// Bounds of one script and one run. The defaults are far beyond what people write.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of a script.
    pub script: usize,
    /// Blocks within blocks, and tests within tests.
    pub nesting: usize,
    /// Commands and tests of a script: bounds what its compiled form takes.
    pub commands: usize,
    /// Mistakes that are told at once.
    pub mistakes: usize,
    /// Scripts that one script includes, directly or not (RFC 6609 §3.1).
    pub includes: usize,
    /// Includes within includes.
    pub include_depth: usize,
    /// Steps of a run. Each command and test is one, and each 64 octets that are compared, decoded or
    /// put together are another, so this bounds the time too.
    pub steps: u64,
    /// Octets of a variable's value; RFC 5229 §6 asks for 4000 at least.
    pub value: usize,
    /// Variables of one script, and global ones; RFC 5229 §6 asks for 128 at least.
    pub variables: usize,
    /// Actions of one run, `keep` and `discard` not counted.
    pub actions: usize,
    /// Redirects of one run: more would make a hub an amplifier (RFC 5228 §10).
    pub redirects: usize,
    /// Octets of one part of the body that are looked at, after decoding.
    pub body: usize,
    /// Octets of a header that a script may make.
    pub header: usize,
    /// Octets that a compiled regular expression may take.
    pub regex: usize,
    /// Regular expressions of one script.
    pub regexes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            script: 64 * 1024,
            nesting: 15,
            commands: 5_000,
            mistakes: 20,
            includes: 30,
            include_depth: 10,
            steps: 500_000,
            value: 4_096,
            variables: 128,
            actions: 32,
            redirects: 4,
            body: 1024 * 1024,
            header: 1024 * 1024,
            regex: 64 * 1024,
            regexes: 64,
        }
    }
}
