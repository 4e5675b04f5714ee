//! Pays any Lightning node that sent no invoice.
fn main() {}
