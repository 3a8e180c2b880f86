//! How long freed memory waits before it goes back to the machine, and that it does go back.
//!
//! A load takes and frees the same large blocks by turns. The allocator would give each back after a
//! few milliseconds, and the kernel clears every page of it when it is taken again: about a tenth of
//! the processor time of a large load. After some seconds more nobody is about to ask for it.

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` of mimalloc.h, which the crate names no constant for: milliseconds.
const PURGE_DELAY: c_int = 15;
/// `mi_option_arena_purge_mult`: so many times as long for what no thread holds any more.
const ARENA_FACTOR: c_int = 24;
const MILLISECONDS: c_long = 5_000;

/// Call it before there is a second thread.
#[expect(unsafe_code, reason = "the allocator's options are C functions")]
pub fn keep_freed_for_a_moment() {
    // the kernel makes huge pages out of what was given back in part, and so takes it all again: a
    // hundred megabytes after a large load. A kernel that knows no such switch makes none
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    // SAFETY: the options exist (the test below), and only this thread runs
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, MILLISECONDS);
        libmimalloc_sys::mi_option_set(ARENA_FACTOR, 1);
    }
    mj_platform::rest::by(give_back);
}

/// Gives back what is free and this thread's, or nobody's: the allocator looks only when it is used,
/// and an idle node does not use it.
#[expect(unsafe_code, reason = "the allocator is a C library")]
pub fn give_back() {
    // SAFETY: may be called from any thread at any time
    unsafe { libmimalloc_sys::mi_collect(true) }
}

#[cfg(test)]
#[test]
#[expect(unsafe_code, reason = "the allocator's options are C functions")]
fn the_numbers_still_mean_what_they_are_set_for() {
    // SAFETY: reading an option changes nothing
    let before = |option| unsafe { libmimalloc_sys::mi_option_get(option) };
    let defaults = (before(PURGE_DELAY), before(ARENA_FACTOR));
    assert_eq!(defaults, (10, 10), "mimalloc's; look the numbers up anew in mimalloc.h");
}
