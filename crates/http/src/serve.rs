//! A listener, until it is told to stop.

use crate::router;
use crate::state::Stopping;
use axum::serve::ListenerExt;
use sponte_node::Handle;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long a request may go on once the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the API until `stop`, then lets requests end that are under way: those that wait are
/// told that the node stops, and none is waited for longer than five seconds.
///
/// # Errors
/// The listener is broken.
pub async fn serve(
    listener: TcpListener,
    handle: Handle,
    token: &str,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (tell, told) = watch::channel(false);
    let router = router(handle, token, Stopping::new(told.clone()));
    let stopped = async move {
        stop.await;
        tell.send_replace(true);
        // The receivers outlive the server, so nobody misses the word.
        std::future::pending::<()>().await;
    };
    let mut graceful = told.clone();
    let listener = listener.tap_io(|stream| {
        // A small answer waits for nothing; a stream that refuses is only slower.
        let _ = stream.set_nodelay(true);
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        // A sender that is gone says the same as its word.
        let _ = graceful.wait_for(|stopping| *stopping).await;
    });
    let mut late = told;
    let overdue = async move {
        let _ = late.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        done = server => done,
        () = overdue => Ok(()),
        () = stopped => unreachable!("it waits for ever once it has told"),
    }
}
