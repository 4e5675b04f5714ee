//! What the HTLCs of an attempt carry, by its kind.

use crate::backend::{Payload, Route, Send};
use crate::commit::{Kind, PaymentRow};
use crate::config::Config;
use crate::derive;
use secp256k1::{PublicKey, SecretKey};
use sponte_proto::amp::{Child, Root, SetId, Share, Sharer};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::RouteSecrets;
use sponte_proto::payload::FinalPayload;
use sponte_proto::{CltvExpiry, Msat, PaymentHash, PaymentId, Preimage, Record, Records};

/// What is the same in all HTLCs of an attempt.
pub(super) enum Carrier {
    Keysend(Preimage),
    MppKeysend(Preimage, PaymentData),
    Amp { root: Root, set_id: SetId, data: PaymentData },
    Ecdh,
    Bolt11 { hash: PaymentHash, data: PaymentData, metadata: Option<Vec<u8>> },
    Bolt12 { hash: PaymentHash, total: Msat },
}

/// An HTLC that is ready, and its share of the root if it is AMP.
pub(super) struct Loaded {
    pub(super) send: Send,
    pub(super) share: Option<Share>,
}

/// Whether several HTLCs may make up one payment of this kind.
pub(super) fn is_set(kind: Kind) -> bool {
    match kind {
        Kind::MppKeysend | Kind::Amp | Kind::AmpInvoice | Kind::Bolt11 | Kind::Bolt12 => true,
        Kind::Keysend | Kind::Ecdh => false,
    }
}

impl Carrier {
    /// Of the attempt with this number. `None` for an invoice's kind without an invoice.
    pub(super) fn new(config: &Config, row: &PaymentRow, kind: Kind, number: u32) -> Option<Carrier> {
        let (secret, id) = (&config.node_secret, row.id);
        let invoice = row.plan.invoice.as_deref();
        let preimage = || derive::preimage(secret, id, number);
        let own = || PaymentData::new(derive::payment_secret(secret, id, number), row.amount);
        let amp = |data| {
            let (root, set_id) = (derive::root(secret, id, number), derive::set_id(secret, id, number));
            Carrier::Amp { root, set_id, data }
        };
        Some(match kind {
            Kind::Keysend => Carrier::Keysend(preimage()),
            Kind::MppKeysend => Carrier::MppKeysend(preimage(), own()),
            Kind::Amp => amp(own()),
            Kind::AmpInvoice => amp(PaymentData::new(invoice?.payment_addr.clone()?, row.amount)),
            Kind::Ecdh => Carrier::Ecdh,
            Kind::Bolt11 => Carrier::Bolt11 {
                hash: invoice?.hash?,
                data: PaymentData::new(invoice?.payment_addr.clone()?, row.amount),
                metadata: invoice?.metadata.clone(),
            },
            Kind::Bolt12 => Carrier::Bolt12 { hash: invoice?.hash?, total: row.amount },
        })
    }

    /// The hash of all its HTLCs, if they have one.
    pub(super) fn hash(&self) -> Option<PaymentHash> {
        match self {
            Carrier::Keysend(preimage) | Carrier::MppKeysend(preimage, _) => Some(preimage.payment_hash()),
            Carrier::Bolt11 { hash, .. } | Carrier::Bolt12 { hash, .. } => Some(*hash),
            Carrier::Amp { .. } | Carrier::Ecdh => None,
        }
    }

    /// Names the set, if it is AMP.
    pub(super) fn set_id(&self) -> Option<SetId> {
        if let Carrier::Amp { set_id, .. } = self { Some(*set_id) } else { None }
    }

    /// The length of the longest payload that a destination reads of this kind, bytes.
    pub(super) fn payload_bytes(&self, row: &PaymentRow) -> usize {
        let payload = self.payload(row, |root, set_id| {
            Child::derive(root, Share::from_bytes([0; 32]), u32::MAX).record(set_id)
        });
        let mut longest = FinalPayload::new(Msat::MAX, CltvExpiry::new(u32::MAX));
        longest.payment_data = payload.payment_data;
        longest.amp = payload.amp;
        longest.payment_metadata = payload.payment_metadata;
        longest.keysend = payload.keysend;
        longest.custom_records = payload.records;
        longest.encode().len()
    }

    /// Puts the payment on its ways. `given` is the XOR of the shares that are on their way
    /// already. If these ways complete it, the last of them takes all that is left, so that all together make the root.
    pub(super) fn load(
        &self,
        config: &Config,
        row: &PaymentRow,
        routes: Vec<(PaymentId, u32, Route)>,
        given: Share,
        completes: bool,
    ) -> Option<Vec<Loaded>> {
        let Carrier::Amp { root, set_id, .. } = self else {
            let load = |(part, _, route)| self.load_one(config, row, part, route);
            return routes.into_iter().map(load).collect();
        };
        let children = children(config, root, &routes, given, completes)?;
        let loaded = routes.into_iter().zip(children).map(|((part, _, route), child)| Loaded {
            send: Send {
                part,
                route,
                hash: child.payment_hash(),
                session_key: derive::session_key(&config.node_secret, part),
                payload: self.payload(row, |_, _| child.record(*set_id)),
            },
            share: Some(child.share().clone()),
        });
        Some(loaded.collect())
    }

    fn load_one(&self, config: &Config, row: &PaymentRow, part: PaymentId, route: Route) -> Option<Loaded> {
        let session_key = derive::session_key(&config.node_secret, part);
        let hash = match self.hash() {
            Some(hash) => hash,
            None => ecdh_hash(config, session_key.as_bytes(), &route)?,
        };
        let payload = self.payload(row, |_, _| unreachable!("AMP has shares"));
        Some(Loaded { send: Send { part, route, hash, session_key, payload }, share: None })
    }

    fn payload(
        &self,
        row: &PaymentRow,
        record: impl FnOnce(&Root, SetId) -> sponte_proto::amp::AmpRecord,
    ) -> Payload {
        let mut payload = Payload { records: row.records.clone(), ..Payload::default() };
        match self {
            Carrier::Keysend(preimage) => payload.keysend = Some(preimage.clone()),
            Carrier::MppKeysend(preimage, data) => {
                payload.keysend = Some(preimage.clone());
                payload.payment_data = Some(data.clone());
            }
            Carrier::Amp { root, set_id, data } => {
                payload.payment_data = Some(data.clone());
                payload.amp = Some(record(root, *set_id));
            }
            Carrier::Ecdh => mark_ecdh(&mut payload.records),
            Carrier::Bolt11 { data, metadata, .. } => {
                payload.payment_data = Some(data.clone());
                payload.payment_metadata = metadata.clone();
            }
            Carrier::Bolt12 { total, .. } => payload.total = Some(*total),
        }
        payload
    }
}

fn mark_ecdh(records: &mut Records) {
    let marker = Version::Ecdh1.record().expect("this version has one").to_vec();
    let record = Record::new(ECDH_RECORD.to_u64(), marker).expect("a custom record");
    // A caller's own record of this type is refused before.
    let _ = records.insert(record);
}

/// The shards of the new ways.
fn children(
    config: &Config,
    root: &Root,
    routes: &[(PaymentId, u32, Route)],
    given: Share,
    completes: bool,
) -> Option<Vec<Child>> {
    let mut rest = Sharer::new(root.clone()).merge(&Child::derive(root, given, 0));
    let mut children = Vec::with_capacity(routes.len());
    for (at, (part, number, _)) in routes.iter().enumerate() {
        if completes && at + 1 == routes.len() {
            children.push(rest.child(*number));
            break;
        }
        let random = *derive::share(&config.node_secret, *part).as_bytes();
        let (left, right) = rest.split(random).ok()?;
        children.push(left.child(*number));
        rest = right;
    }
    Some(children)
}

/// `None` for a route through something that is no point of the curve.
fn ecdh_hash(config: &Config, session_key: &[u8; 32], route: &Route) -> Option<PaymentHash> {
    let mut key = SecretKey::from_slice(session_key).ok()?;
    let nodes = route.hops.iter().map(|hop| PublicKey::from_slice(&hop.node.to_bytes()));
    let nodes: Vec<PublicKey> = nodes.collect::<Result<_, _>>().ok()?;
    let secrets = RouteSecrets::new(&config.secp, &key, &nodes);
    key.non_secure_erase();
    let secrets = secrets.ok()?;
    Some(Version::Ecdh1.preimage(secrets.shared_secrets().last()?).payment_hash())
}
