//! When a command that runs until it is told to stop is told so.

use clap::Args;
use sponte_api::Code;
use std::io::Read;
use std::time::Duration;
use tokio::sync::watch;

/// How long a command whose parent is gone may take to stop in good order.
const ORPHANED: Duration = Duration::from_secs(15);

/// What else than a signal ends a command.
#[derive(Args, Clone, Copy, Debug)]
pub struct StopArgs {
    /// Stop when stdin is closed: the command ends with the process that holds the other end
    #[arg(long, hide = true)]
    pub exit_on_stdin_close: bool,
}

/// Tells that it is time to stop. Every clone is told.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<u32>);

impl Stop {
    /// Listens to Ctrl-C, SIGTERM, and if asked to stdin's end. Needs a runtime.
    pub fn listen(args: StopArgs) -> Stop {
        let (tell, told) = watch::channel(0);
        let tell_stdin = tell.clone();
        if args.exit_on_stdin_close {
            // A thread of its own: nothing else can read stdin without holding up the exit.
            std::thread::spawn(move || {
                let mut scrap = [0; 1024];
                while matches!(std::io::stdin().read(&mut scrap), Ok(1..)) {}
                tell_stdin.send_modify(|times| *times += 1);
                // Nobody is left to be impatient. What was shown is on the disk.
                std::thread::sleep(ORPHANED);
                std::process::exit(Code::Internal.exit_code().into());
            });
        }
        tokio::spawn(async move {
            loop {
                signal().await;
                tell.send_modify(|times| *times += 1);
            }
        });
        Stop(told)
    }

    /// Waits until it is time.
    pub async fn asked(&self) {
        self.times(1).await;
    }

    /// Waits until somebody is impatient.
    pub async fn asked_twice(&self) {
        self.times(2).await;
    }

    async fn times(&self, times: u32) {
        let told = self.0.clone().wait_for(|so_far| *so_far >= times).await.is_ok();
        if !told {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    // Without a handler the system ends the process, which loses nothing either.
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() { std::future::pending().await },
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
