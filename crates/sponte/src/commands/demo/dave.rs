//! Dave, who is nobody's `sponte`: a plain LDK node that sends the kinds that ours only receives.

use super::chain::Rpc;
use super::node::Node;
use super::until::{PATIENCE, failed, until};
use crate::failure::Failure;
use bitcoin::consensus::encode;
use bitcoin::{Address, Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Transaction};
use serde_json::json;
use sponte_proto::{Msat, NodeId, ShortChannelId};
use sponte_raw::{RawChain, RawHop, RawHtlc, RawNode, Sent};
use std::str::FromStr;

/// The value of each of his channels.
const CHANNEL_SAT: u64 = 500_000;
/// What bob asks of whom he forwards for: the defaults of `[channels]`.
const BOB: (u64, u64, u16) = (1_000, 100, 72);

/// His node.
#[derive(Debug)]
pub struct Dave(RawNode);

/// A way to carol.
#[derive(Clone, Debug)]
pub struct Way {
    /// The nodes that it passes, by name.
    pub names: Vec<&'static str>,
    /// The channels that it takes.
    pub hops: Vec<RawHop>,
}

impl Way {
    /// What it costs.
    pub fn fee(&self) -> Msat {
        let fees = self.hops.iter().map(|hop| hop.fee);
        fees.fold(Msat::ZERO, |sum, fee| sum.checked_add(fee).unwrap_or(Msat::MAX))
    }
}

impl Dave {
    /// He starts at the chain's tip.
    ///
    /// # Errors
    /// The chain does not answer, or the system has no free port.
    pub async fn start(rpc: &Rpc) -> Result<Dave, Failure> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|why| failed(format!("the system has no randomness: {why}")))?;
        let node = RawNode::start(seed, rpc.clone()).await;
        node.map(Dave).map_err(|why| failed(format!("cannot start dave: {why}")))
    }

    /// He asks both for a channel, and waits until the fundings are in the mempool.
    ///
    /// # Errors
    /// One of them does not take it.
    pub async fn open(&self, bob: &Node, carol: &Node) -> Result<(), Failure> {
        for node in [bob, carol] {
            let connected = self.0.connect(node.id(), node.listening()?).await;
            connected.map_err(|why| failed(format!("dave cannot reach {}: {why}", node.name)))?;
            let id = node.id();
            until("dave is connected", async || Ok(self.0.connected(&id).then_some(()))).await?;
            let opened = self.0.open(&id, CHANNEL_SAT, Msat::ZERO);
            opened.map_err(|why| failed(format!("dave cannot open a channel to {}: {why}", node.name)))?;
        }
        until("dave's channels are funded", async || Ok((self.0.funded() == 2).then_some(()))).await
    }

    /// He waits until he can use both.
    ///
    /// # Errors
    /// He cannot.
    pub async fn ready(&self, bob: &Node, carol: &Node) -> Result<(), Failure> {
        for id in [bob.id(), carol.id()] {
            until("dave can use his channels", async || Ok(self.0.usable(&id).first().map(drop))).await?;
        }
        Ok(())
    }

    /// Straight to carol.
    ///
    /// # Errors
    /// He has no usable channel to her.
    pub fn direct(&self, carol: &Node) -> Result<Way, Failure> {
        Ok(Way { names: vec!["dave", carol.name], hops: vec![self.last(carol.id(), self.channel(carol)?)] })
    }

    /// Through bob.
    ///
    /// # Errors
    /// He has no usable channel to bob, or bob none to carol.
    pub async fn through_bob(&self, bob: &Node, carol: &Node, amount: Msat) -> Result<Way, Failure> {
        let channels = bob.client().channels().await.map_err(|error| bob.failure(error))?.channels;
        let theirs = channels.into_iter().find(|channel| channel.peer == carol.id());
        let theirs = theirs.and_then(|channel| channel.short_channel_id?.parse().ok());
        let theirs: ShortChannelId = theirs.ok_or_else(|| failed("bob has no channel to carol"))?;
        let (base, ppm, delta) = BOB;
        let fee = Msat::new(base + amount.to_msat() * ppm / 1_000_000).expect("small");
        let first = RawHop { node: bob.id(), channel: self.channel(bob)?, fee, delta };
        let names = vec!["dave", bob.name, carol.name];
        Ok(Way { names, hops: vec![first, self.last(carol.id(), theirs)] })
    }

    fn last(&self, node: NodeId, channel: ShortChannelId) -> RawHop {
        RawHop { node, channel, fee: Msat::ZERO, delta: 0 }
    }

    fn channel(&self, to: &Node) -> Result<ShortChannelId, Failure> {
        let newest = self.0.usable(&to.id()).last().map(|(channel, _)| *channel);
        newest.ok_or_else(|| failed(format!("dave has no usable channel to {}", to.name)))
    }

    /// Sends an HTLC.
    ///
    /// # Errors
    /// It does not leave.
    pub fn send(&self, htlc: RawHtlc) -> Result<Sent, Failure> {
        self.0.send(htlc).map_err(|why| failed(format!("dave's HTLC does not leave: {why}")))
    }
}

/// Waits for an HTLC's end.
///
/// # Errors
/// There is none in time.
pub async fn end(sent: &Sent) -> Result<sponte_raw::Outcome, Failure> {
    let ended = tokio::time::timeout(PATIENCE, sent.end()).await.ok().flatten();
    ended.ok_or_else(|| failed("an HTLC of dave's does not end"))
}

impl RawChain for Rpc {
    async fn tip(&self) -> Option<(BlockHash, u32)> {
        let height: u32 = self.call("getblockcount", json!([])).await.ok()?;
        let hash: String = self.call("getblockhash", json!([height])).await.ok()?;
        Some((hash.parse().ok()?, height))
    }

    async fn block(&self, height: u32) -> Option<Block> {
        let hash: String = self.call("getblockhash", json!([height])).await.ok()?;
        let block: String = self.call("getblock", json!([hash, 0])).await.ok()?;
        encode::deserialize_hex(&block).ok()
    }

    async fn broadcast(&self, transaction: Transaction) {
        let hex = encode::serialize_hex(&transaction);
        let taken: Result<String, _> = self.call("sendrawtransaction", json!([hex])).await;
        tracing::debug!(?taken, "dave's transaction");
    }

    async fn give(&self, script: ScriptBuf, value: Amount) -> Option<OutPoint> {
        let address = Address::from_script(&script, Network::Regtest).ok()?.to_string();
        let txid: String = self.call("sendtoaddress", json!([address, value.to_btc()])).await.ok()?;
        let transaction: String = self.call("getrawtransaction", json!([txid])).await.ok()?;
        let transaction: Transaction = encode::deserialize_hex(&transaction).ok()?;
        let vout = transaction.output.iter().position(|output| output.script_pubkey == script)?;
        Some(OutPoint { txid: bitcoin::Txid::from_str(&txid).ok()?, vout: u32::try_from(vout).ok()? })
    }
}
