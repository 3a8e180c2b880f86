//! The one function of the house that reads the machine's clock.

use mj_kernel::{Clock, Instant};

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    fn now(&self) -> Instant {
        chrono::Utc::now().timestamp_micros()
    }
}
