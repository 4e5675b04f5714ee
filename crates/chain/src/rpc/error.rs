//! Errors with bitcoind's codes.

use serde_json::{Value, json};

use crate::reject::TxRejected;

/// Not allowed or not possible for a reason of its own; also: wrong number of arguments.
pub(crate) const MISC: i32 = -1;
/// An argument of the wrong type.
pub(crate) const WRONG_TYPE: i32 = -3;
/// An address, a transaction or a block that does not exist.
pub(crate) const NOT_FOUND: i32 = -5;
/// The wallet has not enough.
pub(crate) const INSUFFICIENT_FUNDS: i32 = -6;
/// An argument that makes no sense.
pub(crate) const INVALID_PARAMETER: i32 = -8;
/// Bytes that are no transaction.
pub(crate) const DESERIALIZATION: i32 = -22;
/// A transaction or block that could not be judged, or spends what is not there.
pub(crate) const VERIFY: i32 = -25;
/// A transaction that breaks a rule.
pub(crate) const REJECTED: i32 = -26;
/// A transaction that is in the chain already.
pub(crate) const ALREADY_IN_CHAIN: i32 = -27;
/// JSON-RPC: not a request.
pub(crate) const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC: no such method.
pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
/// JSON-RPC: not JSON.
pub(crate) const PARSE: i32 = -32700;

/// An error as JSON-RPC carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RpcError {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl RpcError {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "code": self.code, "message": self.message })
    }

    /// The HTTP status of a JSON-RPC 1.0 answer with this error.
    pub(crate) fn http_status(&self) -> u16 {
        match self.code {
            INVALID_REQUEST => 400,
            METHOD_NOT_FOUND => 404,
            _ => 500,
        }
    }
}

impl From<TxRejected> for RpcError {
    fn from(rejected: TxRejected) -> Self {
        let code = match rejected {
            TxRejected::MissingInputs => VERIFY,
            TxRejected::AlreadyInChain => ALREADY_IN_CHAIN,
            TxRejected::AlreadyInMempool | TxRejected::Refused(_) => REJECTED,
        };
        Self::new(code, rejected.to_string())
    }
}
