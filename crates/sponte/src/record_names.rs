//! What widely used record types mean.

/// What a type is used for, if it is known.
pub fn of(kind: u64) -> Option<&'static str> {
    Some(match kind {
        696_969 => "wallet id",
        818_818 => "Hive account",
        7_629_169 => "boost",
        7_629_171 => "tip note",
        34_349_334 => "message",
        34_349_337 => "signature",
        34_349_339 => "sender",
        34_349_340 => "sender's name",
        34_349_343 => "time",
        34_349_345 => "content type",
        34_349_347 => "request id",
        112_111_100 => "wallet id",
        133_773_310 => "Sphinx message",
        5_482_373_484 => "keysend preimage",
        _ => return None,
    })
}
