//! Peers, coins and channels of LND.

use super::{Lnd, LndChannel};
use crate::until;
use serde_json::{Value, json};
use sponte_proto::{Msat, NodeId};

impl Lnd {
    /// Connects, and stays connected. Being connected already is fine.
    pub async fn connect(&self, id: NodeId, address: &str) {
        let body = json!({ "addr": { "pubkey": id.to_string(), "host": address }, "perm": true });
        match self.rest().post("/v1/peers", body).await {
            Err(message) if !message.contains("already connected") => {
                panic!("{} does not connect: {message}", self.name)
            }
            _ => {}
        }
        self.connected(id).await;
    }

    /// Waits until it is connected to a node.
    pub async fn connected(&self, id: NodeId) {
        until(&format!("{} to have a peer", self.name), async || self.has_peer(id).await.then_some(())).await;
    }

    /// Waits until it has noticed that a node is gone. A new connection would else be refused as a second one.
    pub async fn disconnected(&self, id: NodeId) {
        until(&format!("{} to miss a peer", self.name), async || (!self.has_peer(id).await).then_some(()))
            .await;
    }

    async fn has_peer(&self, id: NodeId) -> bool {
        let answer = self.rest().get("/v1/peers").await.expect("peers are always answered");
        let peers = answer["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
        peers.iter().any(|peer| peer["pub_key"] == id.to_string())
    }

    /// A new address of its wallet.
    pub async fn coin_address(&self) -> String {
        let answer = self.rest().get("/v1/newaddress?type=WITNESS_PUBKEY_HASH").await;
        answer.expect("an address is always given")["address"].as_str().expect("an address").to_owned()
    }

    /// Its confirmed coins, in satoshi.
    pub async fn confirmed_sat(&self) -> u64 {
        let answer = self.rest().get("/v1/balance/blockchain").await.expect("balance is always answered");
        number(&answer["confirmed_balance"])
    }

    /// Asks a connected node for an announced channel; its funding transaction is on its way then.
    /// Amounts are satoshi; the other one gets `push`.
    pub async fn open(&self, to: NodeId, value: u64, push: u64) {
        let body = json!({
            "node_pubkey_string": to.to_string(),
            "local_funding_amount": value.to_string(),
            "push_sat": push.to_string(),
            "sat_per_vbyte": "2",
        });
        let opened = self.rest().post("/v1/channels", body).await;
        opened.unwrap_or_else(|message| panic!("{} does not open: {message}", self.name));
    }

    /// Its channels that are open.
    pub async fn channels(&self) -> Vec<LndChannel> {
        let answer = self.rest().get("/v1/channels").await.expect("channels are always answered");
        super::types::list(&answer["channels"])
    }

    /// Waits until so many of its channels can be used.
    pub async fn has_active(&self, channels: usize) {
        until(&format!("{} to have {channels} channels", self.name), async || {
            let active = self.channels().await.iter().filter(|channel| channel.active).count();
            (active == channels).then_some(())
        })
        .await;
    }

    /// Waits until none of its channels holds an HTLC.
    pub async fn quiet(&self) {
        until(&format!("no HTLC to be left at {}", self.name), async || {
            self.channels().await.iter().all(|channel| channel.pending_htlcs.is_empty()).then_some(())
        })
        .await;
    }

    /// How many announced channels it knows.
    pub async fn graph_channels(&self) -> usize {
        let answer = self.rest().get("/v1/graph/info").await.expect("the graph is always answered");
        answer["num_channels"].as_u64().unwrap_or(0) as usize
    }

    /// Whether it knows both directions of so many announced channels.
    pub async fn knows(&self, channels: usize) -> bool {
        let graph = self.rest().get("/v1/graph").await.expect("the graph is always answered");
        let edges = graph["edges"].as_array().map(Vec::as_slice).unwrap_or_default();
        let both = |edge: &&Value| !edge["node1_policy"].is_null() && !edge["node2_policy"].is_null();
        edges.iter().filter(both).count() == channels
    }

    /// Chooses what it asks for forwarding, on all channels that it has.
    pub async fn ask(&self, base_msat: u64, ppm: u32) {
        let body = json!({
            "global": true, "base_fee_msat": base_msat.to_string(), "fee_rate_ppm": ppm, "time_lock_delta": 40,
        });
        let answer = self.rest().post("/v1/chanpolicy", body).await.expect("a sound policy");
        assert_eq!(answer["failed_updates"], json!([]), "{}", self.name);
    }

    /// What it has forwarded: the amounts that went on, and what it kept of each, in msat.
    pub async fn forwarded(&self) -> Vec<(Msat, Msat)> {
        let body = json!({ "start_time": "1", "num_max_events": 10_000 });
        let answer = self.rest().post("/v1/switch", body).await.expect("it tells");
        let events = answer["forwarding_events"].as_array().cloned().unwrap_or_default();
        let msat = |value| Msat::new(number(value)).expect("in supply");
        events.iter().map(|event| (msat(&event["amt_out_msat"]), msat(&event["fee_msat"]))).collect()
    }

    /// Forgets what it has learned from failures.
    pub async fn forget_failures(&self) {
        self.rest().post("/v2/router/mc/reset", json!({})).await.expect("it forgets");
    }

    /// Closes a channel: by force, then its transaction is on its way; or with the peer, once no HTLC is left.
    pub async fn close(&self, channel: &LndChannel, force: bool) {
        let (txid, output) = channel.channel_point.split_once(':').expect("an outpoint");
        let fee = if force { "" } else { "&sat_per_vbyte=2&no_wait=true" };
        let path = format!("/v1/channels/{txid}/{output}?force={force}{fee}");
        self.rest()
            .delete(&path)
            .await
            .unwrap_or_else(|error| panic!("{} does not close: {error}", self.name));
    }

    /// Its channels that are opening or closing, as it tells of them.
    pub async fn pending_channels(&self) -> Value {
        self.rest().get("/v1/channels/pending").await.expect("channels are always answered")
    }
}

/// A number that REST writes as a string.
pub(super) fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).expect("a number")
}
