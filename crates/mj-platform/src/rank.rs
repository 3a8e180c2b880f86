//! How a thread stands beside the others when the processors are few.

use std::io;

use tokio::sync::oneshot;

/// Work on a thread of its own that stands below the others; awaited it gives what came of it, or an error when
/// the work panicked. Not for work that holds what others wait for.
///
/// # Errors
/// When no thread can be started.
pub fn spawn_below<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (send, done) = oneshot::channel();
    // a thread of its own: a rank below everybody else's cannot be taken back afterwards
    std::thread::Builder::new().name(name.into()).spawn(move || {
        below_others();
        let _ = send.send(work());
    })?;
    Ok(done)
}

/// About a tenth of what another thread gets where both want the processor. At the lowest rank (19, a
/// seventieth) a load was faster by a few parts of a hundred, and stood still beside six busy processes.
#[cfg(target_os = "linux")]
const BELOW: i32 = 10;

/// The calling thread comes after others, and never rises again: for long work that somebody
/// waits for, but others more. Where a rank belongs to the whole process nothing happens.
pub fn below_others() {
    // Linux alone ranks threads; it refuses nobody who wants less
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(BELOW);
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
    assert_eq!(there.join().expect("ran"), (before + BELOW).min(19));
    assert_eq!(mine(), before);
}
