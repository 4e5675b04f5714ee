//! The decisions of a sponte node, sans-IO.
