//! HTTP routes of sponte.
