//! What is sent, and what comes of it.

use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use lightning::ln::msgs::{OnionPacket as LdkPacket, UpdateAddHTLC, UpdateFailHTLC};
use lightning::util::ser::Writeable as _;
use sponte_proto::failure::{AttributionData, Failure, FailurePacket, decode_failure};
use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets, SharedSecret};
use sponte_proto::payload::ForwardPayload;
use sponte_proto::{CltvExpiry, Msat, NodeId, PaymentHash, Preimage, ShortChannelId, ecdh};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// A channel of a route, and the node at its end.
#[derive(Clone, Copy, Debug)]
pub struct RawHop {
    /// Who gets the HTLC.
    pub node: NodeId,
    /// Over which channel.
    pub channel: ShortChannelId,
    /// What the node keeps for itself; nothing at the last one.
    pub fee: Msat,
    /// The blocks that the node takes for itself; none at the last one.
    pub delta: u16,
}

/// One HTLC to send.
pub struct RawHtlc {
    /// From this node's own channel to the destination.
    pub route: Vec<RawHop>,
    /// What the HTLC carries at its end.
    pub amount: Msat,
    /// Blocks that are left at its end.
    pub final_delta: u16,
    /// The payment hash, given the secret that is shared with the destination.
    pub hash: Box<dyn Fn(&SharedSecret) -> PaymentHash>,
    /// The payload of the destination, given the HTLC's expiry there.
    pub payload: Box<dyn Fn(CltvExpiry) -> Vec<u8> + Send + Sync>,
}

impl RawHtlc {
    /// The hash of a payment whose preimage the payer knows.
    pub fn of_hash(hash: PaymentHash) -> Box<dyn Fn(&SharedSecret) -> PaymentHash> {
        Box::new(move |_| hash)
    }

    /// The hash that ECDH has.
    pub fn of_ecdh(version: ecdh::Version) -> Box<dyn Fn(&SharedSecret) -> PaymentHash> {
        Box::new(move |secret| version.preimage(secret).payment_hash())
    }
}

/// The end of an HTLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination took it.
    Settled(Preimage),
    /// A hop failed it.
    Failed {
        /// Which; the first one is 0.
        hop: usize,
        /// With what.
        failure: Failure,
        /// Attribution data came with it, and every hop's was right.
        attributed: bool,
    },
    /// The first hop could not read the onion.
    Malformed(u16),
    /// Nobody on the route wrote what came back.
    Undecodable,
    /// It never left: the channel was not usable at that moment.
    Unsent,
}

/// An HTLC that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What it is locked to.
    pub hash: PaymentHash,
    end: watch::Receiver<Option<Outcome>>,
    offers: Arc<AtomicUsize>,
}

impl Sent {
    /// The longest that [`Sent::ended`] waits: far more than it takes on a busy machine.
    pub const PATIENCE: Duration = Duration::from_secs(90);

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.end.borrow().clone()
    }

    /// How often its `update_add_htlc` has left: more than once if a connection ended before the
    /// peer had taken it in (BOLT 2, "Message Retransmission").
    pub fn offers(&self) -> usize {
        self.offers.load(Ordering::Acquire)
    }

    /// Waits for its end, as long as the node lives and at most for [`Sent::PATIENCE`].
    pub async fn end(&self) -> Option<Outcome> {
        let mut end = self.end.clone();
        let ended = tokio::time::timeout(Sent::PATIENCE, end.wait_for(Option::is_some)).await;
        ended.ok()?.ok()?.clone()
    }

    /// Waits for its end, as [`Sent::end`].
    ///
    /// # Panics
    /// It does not end.
    pub async fn ended(&self) -> Outcome {
        self.end().await.expect("a raw HTLC ends")
    }

    /// Waits until the destination has failed it.
    ///
    /// # Panics
    /// It ended otherwise, or does not end.
    pub async fn refused(&self, destination: usize) -> Failure {
        match self.ended().await {
            Outcome::Failed { hop, failure, attributed } => {
                assert_eq!(hop, destination, "{failure:?}");
                assert!(attributed, "{failure:?} is not attributed");
                failure
            }
            other => panic!("{other:?}"),
        }
    }
}

/// An HTLC on its way, as the handler knows it.
pub struct Onion {
    pub secrets: RouteSecrets,
    pub route: Vec<RawHop>,
    pub amount: Msat,
    pub payload: Box<dyn Fn(CltvExpiry) -> Vec<u8> + Send + Sync>,
    end: watch::Sender<Option<Outcome>>,
    offers: Arc<AtomicUsize>,
}

impl Onion {
    pub fn new(secp: &Secp256k1<All>, session_key: &SecretKey, htlc: RawHtlc) -> (Sent, Onion) {
        let key = |hop: &RawHop| PublicKey::from_slice(&hop.node.to_bytes()).expect("a node's point");
        let keys: Vec<_> = htlc.route.iter().map(key).collect();
        let secrets = RouteSecrets::new(secp, session_key, &keys).expect("a route");
        let hash = (htlc.hash)(secrets.shared_secrets().last().expect("hops"));
        let RawHtlc { route, amount, payload, .. } = htlc;
        let (told, end) = watch::channel(None);
        let offers = Arc::new(AtomicUsize::new(0));
        let sent = Sent { hash, end, offers: offers.clone() };
        (sent, Onion { secrets, route, amount, payload, end: told, offers })
    }

    /// Exchanges the onion of the message that LDK made.
    pub fn put(&self, message: &mut UpdateAddHTLC) {
        self.offers.fetch_add(1, Ordering::AcqRel);
        let taken: u32 = self.route.iter().map(|hop| u32::from(hop.delta)).sum();
        let mut expiry = message.cltv_expiry - taken;
        let mut payloads = vec![(self.payload)(CltvExpiry::new(expiry))];
        let mut amount = self.amount;
        for pair in self.route.windows(2).rev() {
            let forward = ForwardPayload {
                amt_to_forward: amount,
                outgoing_cltv_value: CltvExpiry::new(expiry),
                short_channel_id: pair[1].channel,
            };
            payloads.push(forward.encode());
            amount = amount.checked_add(pair[0].fee).expect("in supply");
            expiry += u32::from(pair[0].delta);
        }
        assert_eq!((amount.to_msat(), expiry), (message.amount_msat, message.cltv_expiry));
        payloads.reverse();
        let packet = self.secrets.build(&payloads, &message.payment_hash.0, PAYMENT_PAYLOADS);
        let packet = packet.expect("the payloads fit");
        message.onion_routing_packet = LdkPacket {
            version: packet.version(),
            public_key: PublicKey::from_slice(packet.public_key()),
            hop_data: packet.hop_payloads().try_into().expect("1,300 bytes"),
            hmac: *packet.hmac(),
        };
    }

    pub fn failed(&self, message: &UpdateFailHTLC) {
        let wire = message.encode();
        let length = usize::from(u16::from_be_bytes([wire[40], wire[41]]));
        let packet = FailurePacket::from_bytes(wire[42..42 + length].to_vec());
        let data = message.attribution_data.as_ref().map(|data| data.encode());
        let data = data.map(|data| AttributionData::decode(&data).expect("920 bytes"));
        let report = decode_failure(self.secrets.shared_secrets(), &packet, data.as_ref());
        self.ended(match report.failure {
            Ok(decoded) => Outcome::Failed {
                hop: decoded.hop,
                failure: decoded.failure,
                attributed: data.is_some() && report.unattributed.is_none(),
            },
            Err(_) => Outcome::Undecodable,
        });
    }

    /// Messages may repeat; the first one counts.
    pub fn ended(&self, outcome: Outcome) {
        self.end.send_if_modified(|end| end.is_none() && end.replace(outcome).is_none());
    }
}
