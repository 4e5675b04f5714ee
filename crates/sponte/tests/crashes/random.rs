//! Randomness that can be repeated.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From `SPONTE_CRASH_SEED`, or from the clock; says which, so that it can be repeated.
    pub fn from_environment(test: &str) -> Random {
        let seed = match std::env::var("SPONTE_CRASH_SEED") {
            Ok(seed) => seed.parse().expect("SPONTE_CRASH_SEED is a number"),
            Err(_) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
                u64::from(now.subsec_nanos()) ^ now.as_secs() << 20
            }
        };
        println!("{test}: SPONTE_CRASH_SEED={seed}");
        Random(seed)
    }

    /// One of its own for a task, whatever others draw.
    pub fn branch(&mut self) -> Random {
        Random(self.next())
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number out of a range that is not empty.
    pub fn range(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// An index below `count`.
    pub fn index(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// One of several words.
    pub fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.index(words.len())]
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    /// A time below so many milliseconds.
    pub fn millis(&mut self, below: u64) -> Duration {
        Duration::from_micros(self.range(0..below * 1_000))
    }
}

/// A number from the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => default,
    }
}
