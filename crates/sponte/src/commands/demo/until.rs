//! Waiting for something to become so.

use crate::failure::Failure;
use sponte_api::Code;
use std::time::{Duration, Instant};

/// The longest that anything in the demo may take, on a machine that has much else to do.
pub const PATIENCE: Duration = Duration::from_secs(45);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(20);

/// Looks until there is what is waited for.
///
/// # Errors
/// What the look says, or that it took too long: `what` is a sentence that did not come true.
pub async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            let patience = PATIENCE.as_secs();
            return Err(failed(format!("after {patience} s it is still not so that {what}")));
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// The demo cannot go on.
pub fn failed(message: impl Into<String>) -> Failure {
    Failure::new(Code::DemoFailed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn looks_again() {
        let mut looks = 0;
        let found = until("it is the third look", async || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(found.await, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_ends_it() {
        let answer = until::<()>("never", async || Err(failed("broken"))).await;
        assert_eq!(answer, Err(failed("broken")));
    }
}
