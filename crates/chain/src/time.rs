//! Time as an argument: the core never reads a clock.

use std::fmt;

/// Seconds since 1970, as block headers carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u32);

impl UnixTime {
    /// A moment given in whole seconds since 1970.
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs)
    }

    /// Whole seconds since 1970.
    pub const fn as_secs(self) -> u32 {
        self.0
    }

    /// This moment and `secs` more seconds; stays at the last moment a header can carry.
    #[must_use]
    pub const fn plus_secs(self, secs: u32) -> Self {
        Self(self.0.saturating_add(secs))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
