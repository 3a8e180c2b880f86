//! How a thread stands beside the others when the processors are few.

/// The calling thread runs when nobody else wants to, and never rises again: for long work that somebody
/// waits for, but others more. Where a rank belongs to the whole process nothing happens.
pub fn below_others() {
    // Linux alone ranks threads; it refuses nobody who wants less
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(19);
}

#[cfg(all(test, target_os = "linux"))]
#[test]
fn one_thread_steps_back_and_no_other() {
    let mine = || rustix::process::getpriority_process(None).expect("known");
    let before = mine();
    let there = std::thread::spawn(move || {
        below_others();
        mine()
    });
    assert_eq!(there.join().expect("ran"), 19);
    assert_eq!(mine(), before);
}
