//! Reading the ledger: it waits for the disk and for other readers, so not on a thread that serves
//! others.

/// What `read` gives, read on a thread that may wait; `None` if the process is about to end.
pub(crate) async fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(read).await.ok()
}
