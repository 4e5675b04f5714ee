//! The steps that show every kind that carol receives, each sent by dave.

use super::dave::Way;
use super::delivery::Delivery;
use super::node::Node;
use super::report::Step;
use super::until::failed;
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::{AmpInvoice, Hold, Kind, NewAmpInvoice, PageQuery, Receive, State};
use sponte_proto::amp::{Child, Root, SetId, Sharer};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::mpp::PaymentData;
use sponte_proto::{Msat, PaymentSecret, Preimage, Records, unhex};
use sponte_raw::RawHtlc;

/// A record that carol looks at before she takes a payment; odd, so that nobody must know it.
const ORDER: u64 = 7_629_171;

const fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("below the supply")
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|why| failed(format!("the system has no randomness: {why}")))?;
    Ok(bytes)
}

/// Straight to carol, and through bob.
async fn two_ways(world: &Inhabitants, amount: Msat) -> Result<[Way; 2], Failure> {
    let Inhabitants { bob, carol, dave, .. } = world;
    Ok([dave.direct(carol)?, dave.through_bob(bob, carol, amount).await?])
}

/// One hash, one preimage, two parts (bLIP-3 with a payment secret).
pub async fn mpp_keysend(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let part = sat(6_000);
    let mut delivery = Delivery::new(name, Kind::MppKeysend, world).await?;
    let preimage = Preimage::from_bytes(random()?);
    let data = PaymentData::new(PaymentSecret::from_bytes(random()?), sat(12_000));
    for way in two_ways(world, part).await? {
        let (preimage, data) = (preimage.clone(), data.clone());
        delivery.send(way, part, RawHtlc::of_hash(preimage.payment_hash()), move |payload| {
            payload.keysend = Some(preimage.clone());
            payload.payment_data = Some(data.clone());
        })?;
    }
    delivery.settled().await
}

/// Three shards with a hash each, over two ways.
pub async fn amp(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let mut delivery = Delivery::new(name, Kind::Amp, world).await?;
    send_amp(&mut delivery, world, PaymentSecret::from_bytes(random()?), sat(4_000), vec![]).await?;
    delivery.settled().await
}

/// To an invoice of carol's, which takes any number of payments: this is one of them.
pub async fn amp_invoice(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let Inhabitants { carol, .. } = world;
    let invoice = invoice(carol).await?;
    let mut delivery = Delivery::new(name, Kind::AmpInvoice, world).await?;
    let addr = unhex(&invoice.payment_addr).ok().and_then(|bytes| bytes.try_into().ok());
    let addr = PaymentSecret::from_bytes(addr.ok_or_else(|| failed("carol's invoice has no address"))?);
    send_amp(&mut delivery, world, addr, sat(1_000), vec![]).await?;
    let mut step = delivery.settled().await?;
    let after = self::invoice(carol).await?;
    if after.payment_count != invoice.payment_count + 1 {
        step.wrong = Some("carol's invoice does not count the payment".into());
    }
    step.note = Some(format!("the invoice has {} payments", after.payment_count));
    Ok(step)
}

/// The one that carol has, made for the first who asks.
async fn invoice(carol: &Node) -> Result<AmpInvoice, Failure> {
    let known = carol.client().amp_invoices(&PageQuery::default()).await;
    let known = known.map_err(|error| carol.failure(error))?.amp_invoices;
    if let Some(invoice) = known.into_iter().next() {
        return Ok(invoice);
    }
    let new =
        NewAmpInvoice { amount_msat: Some(sat(3_000)), description: "soup".into(), expiry_seconds: None };
    carol.client().create_amp_invoice(&new).await.map_err(|error| carol.failure(error))
}

/// Carol holds three shards, looks at the record that came with them, and takes all.
pub async fn held_amp(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let carol = &world.carol;
    hold(carol, Hold::Records([ORDER].into())).await?;
    let mut delivery = Delivery::new(name, Kind::Amp, world).await?;
    let records = vec![(ORDER, b"one soup, please".to_vec())];
    send_amp(&mut delivery, world, PaymentSecret::from_bytes(random()?), sat(5_000), records).await?;
    let held = delivery.is(State::Held).await?;
    carol.client().decide(held.id, true).await.map_err(|error| carol.failure(error))?;
    delivery.settled().await
}

/// Carol holds a keysend, and gives it back.
pub async fn held_keysend(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let (carol, amount) = (&world.carol, sat(9_000));
    hold(carol, Hold::From(amount)).await?;
    let mut delivery = Delivery::new(name, Kind::Keysend, world).await?;
    let preimage = Preimage::from_bytes(random()?);
    let [_, through_bob] = two_ways(world, amount).await?;
    delivery.send(through_bob, amount, RawHtlc::of_hash(preimage.payment_hash()), move |payload| {
        payload.keysend = Some(preimage.clone());
    })?;
    let held = delivery.is(State::Held).await?;
    carol.client().decide(held.id, false).await.map_err(|error| carol.failure(error))?;
    let step = delivery.canceled().await?;
    let reset = carol.client().reset_receive().await;
    reset.map_err(|error| carol.failure(error)).map(|_| step)
}

/// Carol holds these payments from now on.
async fn hold(carol: &Node, hold: Hold) -> Result<(), Failure> {
    let receive = carol.client().receive().await.map_err(|error| carol.failure(error))?.receive;
    let set = carol.client().set_receive(&Receive { hold, ..receive }).await;
    set.map_err(|error| carol.failure(error)).map(drop)
}

/// Three shards of so much each to an address, with these records.
async fn send_amp(
    delivery: &mut Delivery<'_>,
    world: &Inhabitants,
    payment_addr: PaymentSecret,
    shard: Msat,
    records: Vec<(u64, Vec<u8>)>,
) -> Result<(), Failure> {
    let total = Msat::new(3 * shard.to_msat()).expect("small");
    let (set_id, data) = (SetId::from_bytes(random()?), PaymentData::new(payment_addr, total));
    let [direct, through_bob] = two_ways(world, shard).await?;
    let ways = [direct, through_bob.clone(), through_bob];
    for (child, way) in three_shards()?.into_iter().zip(ways) {
        let (data, record) = (data.clone(), child.record(set_id));
        let records = Records::from_received(records.clone());
        delivery.send(way, shard, RawHtlc::of_hash(child.payment_hash()), move |payload| {
            payload.payment_data = Some(data.clone());
            payload.amp = Some(record.clone());
            payload.custom_records = records.clone();
        })?;
    }
    Ok(())
}

fn three_shards() -> Result<[Child; 3], Failure> {
    let split = |sharer: Sharer, random| {
        sharer.split(random).map_err(|why| failed(format!("an unlucky random number: {why}")))
    };
    let (left, rest) = split(Sharer::new(Root::from_bytes(random()?)), random()?)?;
    let (middle, right) = split(rest, random()?)?;
    Ok([left.child(0), middle.child(1), right.child(2)])
}

/// No preimage travels: it follows from the secret that the onion shares with carol.
pub async fn ecdh(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let amount = sat(2_000);
    let mut delivery = Delivery::new(name, Kind::Ecdh, world).await?;
    let [_, through_bob] = two_ways(world, amount).await?;
    delivery.send(through_bob, amount, RawHtlc::of_ecdh(Version::Ecdh1), |payload| {
        let marker = Version::Ecdh1.record().map(|value| (ECDH_RECORD.to_u64(), value.to_vec()));
        payload.custom_records = Records::from_received(marker);
    })?;
    delivery.settled().await
}
