//! A listener, until it is told to stop.

use crate::auth;
use crate::error::ApiError;
use crate::router;
use crate::state::Stopping;
use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use sponte_api::Code;
use sponte_node::Handle;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt;

/// How long a request may go on once the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// The API of a node, which may still be starting: until it is [there](Api::node_runs) every request is
/// answered with `busy`.
pub struct Api {
    token: Arc<str>,
    node: Arc<OnceLock<Router>>,
    tell: watch::Sender<bool>,
}

impl Api {
    /// For whoever knows `token`; an empty one lets nobody in.
    pub fn new(token: &str) -> Api {
        Api { token: token.into(), node: Arc::default(), tell: watch::Sender::new(false) }
    }

    /// From now on requests reach the node; of several nodes the first.
    pub fn node_runs(&self, handle: Handle) {
        self.node.get_or_init(|| router(handle, &self.token, Stopping::new(self.tell.subscribe())));
    }

    /// Serves the API until `stop`, then lets requests end that are under way: those that wait are
    /// told that the node stops, and none is waited for longer than five seconds.
    ///
    /// # Errors
    /// The listener is broken.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let stopped = async {
            stop.await;
            self.tell.send_replace(true);
            // The sender outlives the server, so nobody misses the word.
            std::future::pending::<()>().await;
        };
        let listener = listener.tap_io(|stream| {
            // A small answer waits for nothing; a stream that refuses is only slower.
            let _ = stream.set_nodelay(true);
        });
        let (mut graceful, mut late) = (self.tell.subscribe(), self.tell.subscribe());
        let server = axum::serve(listener, self.router()).with_graceful_shutdown(async move {
            // A sender that is gone says the same as its word.
            let _ = graceful.wait_for(|stopping| *stopping).await;
        });
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

    /// The node's routes once it runs.
    fn router(&self) -> Router {
        let starting =
            Router::new().fallback(starting).layer(from_fn_with_state(self.token.clone(), auth::check));
        let node = self.node.clone();
        Router::new().fallback(move |request: Request| {
            let router = node.get().unwrap_or(&starting).clone();
            async move { router.oneshot(request).await.into_response() }
        })
    }
}

async fn starting() -> ApiError {
    ApiError::new(Code::Busy, "the node is starting, or waits for bitcoind: its log says what for; ask again")
}
