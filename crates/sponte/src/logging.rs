//! What is logged, and where: stderr.

use crate::failure::Failure;
use sponte_api::Code;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Logs to stderr what the filter lets through.
///
/// # Errors
/// The filter makes no sense.
pub fn start(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::builder().parse(filter).map_err(|why| {
        let message =
            format!("the log filter `{filter}` is wrong ({why}); write for example info or sponte_ldk=debug");
        Failure::new(Code::BadConfig, message)
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}
