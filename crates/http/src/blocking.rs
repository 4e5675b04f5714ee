//! Reading the ledger: it waits for the disk, so not on a thread that serves others.

use crate::error::ApiError;
use sponte_node::Handle;
use sponte_store::{Ledger, StoreError};

/// What `look` finds in the ledger.
pub(crate) async fn read<T: Send + 'static>(
    handle: &Handle,
    look: impl FnOnce(&Ledger) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ApiError> {
    let ledger = handle.ledger().clone();
    let found = tokio::task::spawn_blocking(move || look(&ledger)).await;
    Ok(found.map_err(ApiError::internal)??)
}
