//! The decisions of a sponte node, sans-IO.
pub mod backend;
pub mod commit;
