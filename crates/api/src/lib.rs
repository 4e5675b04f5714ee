//! JSON requests and responses of the HTTP API of sponte, version 1.
//!
//! Every path starts with `/v1`; every request carries `Authorization: Bearer <token>`; every
//! body and answer is JSON. Amounts are integers whose names end in `_msat` or `_sat`, times are
//! integers that end in `_ms` (milliseconds since the Unix epoch), identifiers and bytes are hex.
//! A request with a field that does not exist is refused: a misspelt limit must not be ignored.
//!
//! | method and path | body or query | answer |
//! |---|---|---|
//! | `GET /v1/info` | | [`Info`] |
//! | `POST /v1/pay` | [`PayRequest`]; `?wait_ms=` | [`PaymentDetail`] |
//! | `POST /v1/pay/quote` | [`PayRequest`] | [`Quote`] |
//! | `POST /v1/pay-invoice` | [`PayInvoiceRequest`]; `?wait_ms=` | [`PaymentDetail`] |
//! | `POST /v1/pay-invoice/quote` | [`PayInvoiceRequest`] | [`Quote`] |
//! | `POST /v1/pay-invoice/read` | [`ReadInvoiceRequest`] | [`Invoice`] |
//! | `GET /v1/payments` | [`PaymentsQuery`] | [`Payments`] |
//! | `GET /v1/payments/{id}` | `?wait_ms=` | [`PaymentDetail`] |
//! | `POST /v1/payments/{id}/cancel` | | [`PaymentDetail`] |
//! | `GET /v1/held` | [`PageQuery`] | [`HeldPage`] |
//! | `POST /v1/held/{id}/settle`, `/v1/held/{id}/cancel` | | [`PaymentDetail`] |
//! | `GET /v1/receive` | | [`ReceivePolicy`] |
//! | `PUT /v1/receive` | [`Receive`] | [`ReceivePolicy`] |
//! | `DELETE /v1/receive` | | [`ReceivePolicy`] |
//! | `GET /v1/receive/refused` | [`PageQuery`] | [`RefusedPage`] |
//! | `POST /v1/invoices` | [`NewInvoice`] | [`MadeInvoice`] |
//! | `GET /v1/amp-invoices` | [`PageQuery`] | [`AmpInvoices`] |
//! | `POST /v1/amp-invoices` | [`NewAmpInvoice`] | [`AmpInvoice`] |
//! | `GET /v1/amp-invoices/{payment_addr}` | | [`AmpInvoiceDetail`] |
//! | `POST /v1/amp-invoices/{payment_addr}/cancel` | | [`Empty`] |
//! | `GET /v1/wallet/balance` | | [`WalletBalance`] |
//! | `POST /v1/wallet/address` | | [`WalletAddress`] |
//! | `POST /v1/wallet/send` | [`WalletSendRequest`] | [`WalletSent`] |
//! | `GET /v1/channels` | | [`Channels`] |
//! | `POST /v1/channels` | [`OpenChannelRequest`] | [`ChannelOpened`] |
//! | `POST /v1/channels/{id}/close` | [`CloseChannelRequest`] | [`Empty`] |
//! | `GET /v1/peers` | | [`Peers`] |
//! | `POST /v1/peers` | [`ConnectRequest`] | [`Empty`] |
//! | `DELETE /v1/peers/{id}` | | [`Empty`] |
//! | `GET /v1/events` | [`EventsQuery`] | [`Events`] |
//! | `GET /v1/audit` | | [`AuditReport`] |
//!
//! A request that is refused is answered with an [`ErrorBody`] and the status of its [`Code`].
//! A payment that fails is no such error: it is answered as a payment whose state is `failed`,
//! with the reason in it, whose word is of the same table. A quote has no payment: there the same
//! reason is an error.
//!
//! `wait_ms` holds the answer back until the payment has ended or the time is over, at most
//! [`MAX_WAIT_MS`]; of events, until there is one.
//!
//! This crate is types (and, behind feature `client`, a client); it knows no node and no server.

mod amp_invoices;
mod audit;
mod channels;
#[cfg(feature = "client")]
mod client;
mod code;
mod error;
mod events;
mod held;
mod info;
mod invoices;
mod json;
mod part_failure;
mod pay;
mod payments;
mod peers;
mod receive;
mod records;
mod wallet;

pub use amp_invoices::{AmpInvoice, AmpInvoiceDetail, AmpInvoices, InvoiceState, NewAmpInvoice};
pub use audit::{AccountBalance, AuditLine, AuditReport, Verdict};
pub use channels::{
    Channel, ChannelOpened, ChannelState, Channels, CloseChannelRequest, OpenChannelRequest, short_channel_id,
};
#[cfg(feature = "client")]
pub use client::{Client, ClientError};
pub use code::Code;
pub use error::{ErrorBody, ErrorDetail};
pub use events::{Event, Events, EventsQuery};
pub use held::{Held, HeldPage};
pub use info::{Info, Warning};
pub use invoices::{MadeInvoice, NewInvoice};
pub use part_failure::PartFailure;
pub use pay::{
    Invoice, Limits, PayInvoiceRequest, PayRequest, Quote, QuotedHop, QuotedRoute, ReadInvoiceRequest,
    RouteHint,
};
pub use payments::{
    Attempt, Direction, Failure, Kind, Part, Payment, PaymentDetail, Payments, PaymentsQuery, State,
    WaitQuery,
};
pub use peers::{ConnectRequest, Peer, Peers};
pub use receive::{Hold, PageQuery, Receive, ReceiveKind, ReceivePolicy, Refused, RefusedPage, Short};
pub use records::{Record, RecordError, RecordInput};
pub use wallet::{WalletAddress, WalletBalance, WalletSendRequest, WalletSent};

use serde::{Deserialize, Serialize};

/// The longest time that one request may wait, in milliseconds.
pub const MAX_WAIT_MS: u64 = 60_000;
/// The largest body of a request, in bytes: records fit into one onion of 1,300 bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Rows of a list when the request names no limit.
pub const DEFAULT_LIMIT: u32 = 50;
/// The most rows that one answer lists.
pub const MAX_LIMIT: u32 = 1_000;

/// `{}`: it is done, and there is nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}
