//! Ctrl-C, and what else asks a process to end.

use crate::failure::Failure;
use sponte_api::Code;
use std::io;

/// Listens from the moment it is made: nothing that comes later kills the process by itself.
#[derive(Debug)]
pub struct Interrupt {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
}

impl Interrupt {
    /// Starts to listen.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen() -> Result<Interrupt, Failure> {
        Interrupt::new().map_err(|why| {
            Failure::new(Code::Internal, format!("cannot listen for Ctrl-C: {why}; start again"))
        })
    }

    #[cfg(unix)]
    fn new() -> io::Result<Interrupt> {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        Ok(Interrupt { signals })
    }

    #[cfg(not(unix))]
    fn new() -> io::Result<Interrupt> {
        Ok(Interrupt {})
    }

    /// Returns when somebody asks for the end.
    #[cfg(unix)]
    pub async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    /// Returns when somebody asks for the end.
    #[cfg(not(unix))]
    pub async fn wait(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
