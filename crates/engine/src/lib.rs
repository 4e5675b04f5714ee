//! The decisions of a sponte node, sans-IO.
pub mod commit;
