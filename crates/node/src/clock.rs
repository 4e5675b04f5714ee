//! The clock of the machine, read here and nowhere else.

use sponte_proto::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now. A clock before 1970 stands at its beginning.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
