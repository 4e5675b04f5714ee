//! An embedded Lightning node on LDK as a backend of sponte.
