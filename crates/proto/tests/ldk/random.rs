//! Numbers that depend on a seed alone.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64.
pub struct Random(u64);

impl Random {
    /// A new seed for every run, printed, or the one of `SPONTE_SEED`.
    pub fn seeded() -> Random {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
        let given = std::env::var("SPONTE_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed = given.unwrap_or_else(now);
        println!("SPONTE_SEED={seed}");
        Random(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.number() % (most - least + 1)
    }

    pub fn flip(&mut self) -> bool {
        self.number().is_multiple_of(2)
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number() as u8).collect()
    }

    pub fn array(&mut self) -> [u8; 32] {
        self.bytes(32).try_into().expect("32 bytes")
    }
}
