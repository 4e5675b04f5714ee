//! The memory of a sponte node: one writer, one transaction per batch.
