//! The real binary under failpoints, `kill -9` and cut writes: three child processes, alice, bob
//! and carol, on a private chain, asked over HTTP as a user would.
//!
//! Whatever dies, in the end both ledgers of every payment agree, each key is paid at most once,
//! no channel was closed, and `audit` is clean.
//!
//! The seed of a test is printed, and repeats it; the moments of kills are as exact as timers.
//!
//! | variable | what | default |
//! |---|---|---|
//! | `SPONTE_CRASH_SEED` | the seed | from the clock |
//! | `SPONTE_CRASH_LOG` | what the nodes log | `info` |
//! | `SPONTE_CRASH_KILLS` | kills of the long test of payments, and of its control | 300, 100 |
//! | `SPONTE_CRASH_OPENINGS` | openings of the long test of openings | 60 |
//!
//! The long tests and the control that must fail are ignored. They are run before a release:
//!
//! ```text
//! cargo test -p sponte --test crashes -- --ignored --nocapture --test-threads 1
//! ```

mod checks;
mod control;
mod failpoints;
mod kills;
mod long;
mod node;
mod openings;
mod payers;
mod random;
mod sending;
mod sets;
mod until;
mod world;
