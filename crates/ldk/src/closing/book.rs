//! What is kept of closed channels until nothing of them is outstanding.

use super::outpoint;
use crate::persist::Persister;
use bitcoin::OutPoint;
use serde_json::{Value, json};
use sponte_proto::{ChannelId, NodeId, Sat, Txid};
use std::collections::BTreeMap;

/// Closed channels whose money is not all home, by channel id.
const CLOSING: &str = "ldk.closing";

/// A closed channel until nothing of it is outstanding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(super) peer: Option<NodeId>,
    pub(super) value: Sat,
    pub(super) funding: Option<(Txid, u32)>,
    pub(super) reason: String,
    /// Our best block when it closed.
    pub(super) height: u32,
    /// Transactions that spend its funding, and those that sweep its outputs.
    pub(super) txids: Vec<Txid>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct ClosingBook(pub(super) BTreeMap<ChannelId, Closing>);

impl ClosingBook {
    /// The namespace of the stored entries.
    pub(crate) const NAMESPACE: &str = CLOSING;

    /// From what was stored; `tip` is the height for what was stored without one.
    ///
    /// # Errors
    /// The key of an entry that makes no sense: without it a channel would never resolve.
    pub(crate) fn load(entries: &[(String, Vec<u8>)], tip: u32) -> Result<ClosingBook, String> {
        let read = |(id, bytes): &(String, Vec<u8>)| Some((id.parse().ok()?, Closing::decode(bytes, tip)?));
        let closings = entries.iter().map(|entry| read(entry).ok_or_else(|| entry.0.clone()));
        closings.collect::<Result<_, _>>().map(ClosingBook)
    }

    pub(crate) fn knows(&self, id: ChannelId) -> bool {
        self.0.contains_key(&id)
    }

    /// All of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.0.keys().copied()
    }

    /// Channels that closed at this height or below, with their funding outputs.
    pub(crate) fn older_than(&self, height: u32) -> Vec<(ChannelId, OutPoint)> {
        let old = self.0.iter().filter(|(_, closing)| closing.height <= height);
        old.filter_map(|(id, closing)| Some((*id, outpoint(closing.funding?)))).collect()
    }

    pub(super) fn put(&mut self, id: ChannelId, closing: Closing, persister: &Persister) {
        persister.put(CLOSING, &id.to_string(), closing.encode());
        self.0.insert(id, closing);
    }

    pub(super) fn remove(&mut self, id: ChannelId, persister: &Persister) {
        persister.delete(CLOSING, &id.to_string());
        self.0.remove(&id);
    }
}

impl Closing {
    fn encode(&self) -> Vec<u8> {
        let txids: Vec<String> = self.txids.iter().map(Txid::to_string).collect();
        json!({
            "peer": self.peer.map(|peer| peer.to_string()),
            "value_sat": self.value.to_sat(),
            "funding": self.funding.map(|(txid, vout)| json!([txid.to_string(), vout])),
            "reason": self.reason,
            "height": self.height,
            "txids": txids,
        })
        .to_string()
        .into_bytes()
    }

    fn decode(bytes: &[u8], tip: u32) -> Option<Closing> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let funding = match &value["funding"] {
            Value::Null => None,
            pair => Some((pair[0].as_str()?.parse().ok()?, number(&pair[1])?)),
        };
        let peer = match &value["peer"] {
            Value::Null => None,
            peer => Some(peer.as_str()?.parse().ok()?),
        };
        let height = match &value["height"] {
            Value::Null => tip,
            height => number(height)?,
        };
        let txids = value["txids"].as_array()?.iter().map(|txid| txid.as_str()?.parse().ok());
        Some(Closing {
            peer,
            value: Sat::new(value["value_sat"].as_u64()?)?,
            funding,
            reason: value["reason"].as_str()?.to_owned(),
            height,
            txids: txids.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests;
