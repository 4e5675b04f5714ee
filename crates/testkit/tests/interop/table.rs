//! The table in `docs/interop.md`.

pub use sponte_peers::Way;

/// Begins a cell.
pub fn begin(row: &'static str, way: Way) -> sponte_peers::Cell {
    sponte_peers::Cell::new(env!("CARGO_TARGET_TMPDIR"), row, way)
}
