//! Helpers of the tests of the chain side.

mod fake_bitcoind;
mod fake_chain;
mod http_server;
mod recorder;

pub use fake_bitcoind::{FakeBitcoind, Trouble};
pub use recorder::{Feed, Recorder};

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// No condition of a test takes this long unless it never comes true.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a future on a runtime of its own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// A value that can be waited for.
#[derive(Default)]
pub struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Condvar::new() }
    }

    pub fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.value.lock().unwrap());
        self.changed.notify_all();
        result
    }

    /// Waits until `found` finds something.
    pub fn until<R>(&self, what: &str, mut found: impl FnMut(&mut T) -> Option<R>) -> R {
        let end = Instant::now() + DEADLINE;
        let mut value = self.value.lock().unwrap();
        loop {
            if let Some(result) = found(&mut value) {
                return result;
            }
            let left = end.checked_duration_since(Instant::now());
            let left = left.unwrap_or_else(|| panic!("waited in vain for {what}"));
            value = self.changed.wait_timeout(value, left).unwrap().0;
        }
    }
}
