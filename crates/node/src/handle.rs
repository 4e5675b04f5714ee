//! The door for everybody who asks something of a running node.

use crate::answers::Caller;
use crate::blocking::blocking;
use crate::error::{AdminError, WaitError};
use crate::message::Message;
use crate::waiters::Waiters;
use sponte_engine::backend::{Admin, Reply};
use sponte_engine::commit::PaymentRow;
use sponte_proto::PaymentId;
use sponte_store::Ledger;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Requests that may wait at once, for the loop or for the disk.
const REQUESTS: usize = 4_096;

/// The door for everybody who asks something of a running node. Cheap to clone; every answer is
/// durable when it comes.
#[derive(Clone, Debug)]
pub struct Handle {
    messages: Sender<Message>,
    requests: Arc<Semaphore>,
    audits: Arc<Semaphore>,
    ledger: Ledger,
    commits: watch::Receiver<u64>,
    waiters: Waiters,
}

impl Handle {
    pub(crate) fn new(
        messages: Sender<Message>,
        ledger: Ledger,
        commits: watch::Receiver<u64>,
        waiters: Waiters,
    ) -> Handle {
        let (requests, audits) = (Arc::new(Semaphore::new(REQUESTS)), Arc::new(Semaphore::new(1)));
        Handle { messages, requests, audits, ledger, commits, waiters }
    }

    /// Asks something of the backend: `make` puts the reply that it is given into the request.
    ///
    /// ```no_run
    /// # use sponte_engine::backend::Admin;
    /// # async fn show(handle: sponte_node::Handle) -> Result<(), sponte_node::AdminError> {
    /// let channels = handle.admin(Admin::Channels).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The backend refused, or the node is busy or has stopped.
    pub async fn admin<T: Send + 'static>(
        &self,
        make: impl FnOnce(Reply<T>) -> Admin + Send + 'static,
    ) -> Result<T, AdminError> {
        let (caller, answer) = Caller::new(self.permit().ok_or(AdminError::Busy)?);
        let request = Message::Admin(Box::new(move |answers| make(answers.reply(caller))));
        self.messages.send(request).map_err(|_| AdminError::Stopped)?;
        answer.await.map_err(|_| AdminError::Stopped)?.map_err(AdminError::Refused)
    }

    /// Where committed rows are read.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Changes after every durable commit that wrote rows of the ledger. Ends with the node.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Waits until a payment has ended, no longer than `patience`; answers its row as it stands
    /// then, pending or held if it has not ended.
    ///
    /// # Errors
    /// There is no such payment, the ledger cannot be read, or the node stopped meanwhile.
    pub async fn payment_ended(&self, id: PaymentId, patience: Duration) -> Result<PaymentRow, WaitError> {
        // An end that comes after the look is heard.
        let mut waiter = self.waiters.wait_for(id);
        let row = self.payment(id).await?;
        if row.state.has_ended() {
            return Ok(row);
        }
        tokio::select! {
            () = tokio::time::sleep(patience) => self.payment(id).await,
            ended = waiter.ended() => ended.ok_or(WaitError::Stopped),
        }
    }

    async fn payment(&self, id: PaymentId) -> Result<PaymentRow, WaitError> {
        let ledger = self.ledger.clone();
        let found = blocking(move || ledger.payment(&id)).await.ok_or(WaitError::Stopped)??;
        found.ok_or(WaitError::Unknown)
    }

    /// `None` if the node has stopped.
    pub(crate) fn send(&self, message: Message) -> Option<()> {
        self.messages.send(message).ok()
    }

    /// The right to audit, if nobody does.
    pub(crate) fn begin_audit(&self) -> Option<OwnedSemaphorePermit> {
        self.audits.clone().try_acquire_owned().ok()
    }

    pub(crate) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.requests.clone().try_acquire_owned().ok()
    }
}
