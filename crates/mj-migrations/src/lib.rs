//! The house's one line of migrations, written once for both databases.
//!
//! Only the whole (`mj-server`) and the test kit embed it, so that a new file does not rebuild the
//! floors. A migration suits yesterday's program too: widen, move, narrow. A file that was once
//! released is never edited.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sql");

/// All migrations in order: name without extension, and portable SQL.
pub fn line() -> &'static [(&'static str, &'static str)] {
    static LINE: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
        let mut line: Vec<_> = FILES
            .files()
            .filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
            .collect();
        line.sort_unstable();
        line
    });
    &LINE
}
