//! The commands, one file each.

pub mod amp_invoice;
pub mod audit;
pub mod chain;
pub mod channel;
pub mod completions;
pub mod demo;
pub mod held;
pub mod info;
pub mod init;
pub mod invoice;
pub mod pay;
pub mod pay_invoice;
pub mod payments;
pub mod peer;
pub mod receive;
pub mod run;
pub mod wallet;
