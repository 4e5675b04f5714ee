//! The loop that joins engine, store and one backend.
