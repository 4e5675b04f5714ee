//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// The longest that a scenario waits for one thing. Far more than any takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(90);

/// Asks again and again until there is an answer.
///
/// # Panics
/// There is none within the deadline: `what` says what was waited for.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, look).await
}

/// As [`until`], for what takes long by its nature.
///
/// # Panics
/// As [`until`].
pub async fn until_within<T>(deadline: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(answer) = look().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
