//! What is kept of files beside what is there.

use std::time::Duration;

use crate::section::section;

section! {
    /// Files of twins. What is kept of earlier times counts towards the quota.
    pub struct Files {
        /// Earlier contents of each file that are kept when it is replaced. 0 keeps none.
        versions: u32 = 20;
        /// How long they are kept, in whole days.
        version_age: Duration = Duration::from_secs(90 * 86_400);
        /// How long what was deleted stays in the trash, in whole days. With "0s" it is gone at once.
        trash_age: Duration = Duration::from_secs(30 * 86_400);
    }
}
