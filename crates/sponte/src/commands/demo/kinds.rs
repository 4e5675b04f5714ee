//! The steps that show every kind that carol receives, each sent by dave.

use super::dave::Way;
use super::delivery::Delivery;
use super::report::Step;
use super::until::failed;
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::Kind;
use sponte_proto::amp::{Child, Root, SetId, Sharer};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::mpp::PaymentData;
use sponte_proto::{Msat, PaymentSecret, Preimage, Records};
use sponte_raw::RawHtlc;

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
