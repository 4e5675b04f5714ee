//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// What a harness finds wrong, in words.
pub type Outcome<T> = Result<T, String>;

/// The longest that anything may take, on a machine that has much else to do.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How often is looked.
pub const GLANCE: Duration = Duration::from_millis(10);

/// Looks until there is what is waited for; `what` is a sentence that must come true.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(format!("after {} s it is still not so that {what}", PATIENCE.as_secs()));
        }
        tokio::time::sleep(GLANCE).await;
    }
}
