//! The store as its users see it: a folder, a writer, a ledger.

mod books;
mod check;
mod crash;
mod migrations;
mod pages;
mod properties;
mod receiving;
mod reopening;
mod rows;
mod sending;
mod writing;
