//! What a thread does when it has had nothing to do for a while.
//!
//! Memory that a thread took can often only be given back by that thread, and an idle one never comes
//! to it by itself. The program says once how; whoever keeps threads of its own calls it on them.

use std::sync::OnceLock;

static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

/// Says how the calling thread gives free memory back. The first word holds.
pub fn by(give_back: fn()) {
    let _ = GIVE_BACK.set(give_back);
}

/// The calling thread has nothing to do.
pub fn rest() {
    if let Some(give_back) = GIVE_BACK.get() {
        give_back();
    }
}
