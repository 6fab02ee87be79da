//! The `futures-timer` 3.0 API over tokio's clock.
//!
//! The published crate runs a thread of its own on the operating system's clock, which makes the timers of every libp2p
//! protocol invisible to a paused runtime. This replacement keeps the API and follows the runtime that polls it: real time
//! in the shipped node, virtual time in the simulator. A [`Delay`] must therefore be created inside a tokio runtime.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// How far in the future a delay fires whose end lies beyond what the clock can represent.
const FAR_FUTURE: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// A future that completes once, a given time after it was created or last [`reset`](Delay::reset).
pub struct Delay {
    sleep: Pin<Box<Sleep>>,
}

impl Delay {
    /// Creates a delay that fires `duration` from now.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(after(duration))) }
    }

    /// Moves the delay to fire `duration` from now, also when it has fired already.
    pub fn reset(&mut self, duration: Duration) {
        self.sleep.as_mut().reset(after(duration));
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delay").finish_non_exhaustive()
    }
}

fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + FAR_FUTURE)
}
