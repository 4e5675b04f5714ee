//! The wallet's coins.

use crate::json;
use serde::{Deserialize, Serialize};
use sponte_proto::{Sat, Txid};

/// `POST /v1/wallet/address`: a fresh address of the wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletAddress {
    /// The address.
    pub address: String,
}

/// `GET /v1/wallet/balance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletBalance {
    /// In blocks.
    #[serde(with = "json::sat")]
    pub confirmed_sat: Sat,
    /// Not in a block yet.
    #[serde(with = "json::sat")]
    pub unconfirmed_sat: Sat,
    /// Of coinbases that are too young.
    #[serde(with = "json::sat")]
    pub immature_sat: Sat,
    /// Kept back for the fees of anchor channels.
    #[serde(with = "json::sat")]
    pub reserve_sat: Sat,
    /// What may be sent or put into channels.
    #[serde(with = "json::sat")]
    pub spendable_sat: Sat,
}

/// `POST /v1/wallet/send`: either an amount, or all that may leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletSendRequest {
    /// To whom.
    pub address: String,
    /// How much.
    #[serde(default, with = "json::sat_option", skip_serializing_if = "Option::is_none")]
    pub amount_sat: Option<Sat>,
    /// All that may leave, instead of an amount.
    #[serde(default)]
    pub all: bool,
    /// Satoshi per 1,000 virtual bytes, instead of the estimate.
    #[serde(default, with = "json::sat_option", skip_serializing_if = "Option::is_none")]
    pub fee_sat_per_kvb: Option<Sat>,
}

/// Coins on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletSent {
    /// The transaction.
    #[serde(with = "json::text")]
    pub txid: Txid,
    /// What arrives.
    #[serde(with = "json::sat")]
    pub amount_sat: Sat,
    /// What the miner gets.
    #[serde(with = "json::sat")]
    pub fee_sat: Sat,
}
