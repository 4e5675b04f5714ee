//! One file per kind of thing that is asked for.

pub(crate) mod amp_invoices;
pub(crate) mod audit;
pub(crate) mod channels;
pub(crate) mod events;
pub(crate) mod held;
pub(crate) mod info;
pub(crate) mod invoices;
pub(crate) mod pay;
pub(crate) mod pay_invoice;
pub(crate) mod payments;
pub(crate) mod peers;
pub(crate) mod receive;
pub(crate) mod wallet;
