//! What every route has at hand.

use crate::error::ApiError;
use sponte_api::Code;
use sponte_node::Handle;
use tokio::sync::watch;

/// What every route has at hand.
#[derive(Clone)]
pub(crate) struct App {
    /// The node.
    pub handle: Handle,
    /// Ends what waits.
    pub stopping: Stopping,
}

/// Tells requests that wait for something that the server stops.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// The sender sets it to true, or is dropped, when the server stops.
    pub fn new(receiver: watch::Receiver<bool>) -> Stopping {
        Stopping(receiver)
    }

    /// Waits for `work`, but not beyond the server's end.
    pub(crate) async fn or<T>(
        mut self,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        tokio::select! {
            done = work => done,
            _ = self.0.wait_for(|stopping| *stopping) => {
                Err(ApiError::new(Code::Busy, "the node is stopping: ask again once it runs"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_ends_what_waits_for_ever() {
        let (tell, told) = watch::channel(false);
        let stopping = Stopping::new(told);
        let waiting = tokio::spawn(stopping.clone().or(std::future::pending::<Result<(), ApiError>>()));
        tell.send_replace(true);
        assert!(waiting.await.expect("no panic").is_err());
        drop(tell);
        assert!(stopping.or(std::future::pending::<Result<(), ApiError>>()).await.is_err());
    }

    #[tokio::test]
    async fn work_that_ends_is_answered() {
        let (_tell, told) = watch::channel(false);
        assert_eq!(Stopping::new(told).or(async { Ok(7) }).await.expect("done"), 7);
    }
}
