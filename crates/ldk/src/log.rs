//! LDK's log lines, handed to `tracing`.

use lightning::util::logger::{Level, Logger, Record};

/// LDK's logger. What is wanted is up to the subscriber's filter (target `ldk`).
#[derive(Debug, Default)]
pub struct Log;

impl Logger for Log {
    fn log(&self, record: Record) {
        let module = record.module_path;
        match record.level {
            Level::Gossip | Level::Trace => tracing::trace!(target: "ldk", module, "{}", record.args),
            Level::Debug => tracing::debug!(target: "ldk", module, "{}", record.args),
            Level::Info => tracing::info!(target: "ldk", module, "{}", record.args),
            Level::Warn => tracing::warn!(target: "ldk", module, "{}", record.args),
            Level::Error => tracing::error!(target: "ldk", module, "{}", record.args),
        }
    }
}
