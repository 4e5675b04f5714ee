//! Nodes by name for the scenarios of sponte.
