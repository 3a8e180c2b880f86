//! How long freed memory waits before it goes back to the machine.
//!
//! A load takes and frees the same large blocks by turns. The allocator gives a block back after a
//! second, and the kernel clears every page of it when it is taken again: about a tenth of the
//! processor time of a large load. After some seconds more nobody is about to ask for it.

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` of mimalloc.h, which the crate names no constant for.
const PURGE_DELAY: c_int = 15;
const MILLISECONDS: c_long = 5_000;

/// Call it before there is a second thread.
#[expect(unsafe_code, reason = "the allocator's options are C functions")]
pub fn keep_freed_for_a_moment() {
    // SAFETY: the option exists (the test below), and only this thread runs
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, MILLISECONDS) }
}

/// Gives back what is free, which an idle node would keep: the allocator looks only when it is used.
#[expect(unsafe_code, reason = "the allocator is a C library")]
pub fn give_back() {
    // SAFETY: may be called from any thread at any time
    unsafe { libmimalloc_sys::mi_collect(true) }
}

#[cfg(test)]
#[test]
#[expect(unsafe_code, reason = "the allocator's options are C functions")]
fn the_number_still_means_the_delay() {
    // SAFETY: reading an option changes nothing
    let before = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
    assert_eq!(before, 1_000, "mimalloc's default; look the number up anew in mimalloc.h");
}
