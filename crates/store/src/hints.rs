//! Route hints in a column: ways one behind the other. Of each the number of its hops (4 bytes), then
//! of each hop its node id (33), short channel id (8), base fee in msat (8), fee in millionths (4) and
//! expiry delta in blocks (2). Numbers are big-endian. No bytes are no ways.

use crate::codec::Col;
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use sponte_engine::backend::RouteHint;
use sponte_proto::{CltvExpiryDelta, Msat, NodeId, ShortChannelId};

impl ToSql for Col<&[Vec<RouteHint>]> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let mut bytes = vec![];
        for way in self.0 {
            let hops = u32::try_from(way.len()).expect("so many hops have no room in memory");
            bytes.extend(hops.to_be_bytes());
            for hop in way {
                bytes.extend(hop.node.to_bytes());
                bytes.extend(hop.channel.to_bytes());
                bytes.extend(hop.fee_base.to_msat().to_be_bytes());
                bytes.extend(hop.fee_ppm.to_be_bytes());
                bytes.extend(hop.cltv_delta.to_u16().to_be_bytes());
            }
        }
        Ok(bytes.into())
    }
}

impl FromSql for Col<Vec<Vec<RouteHint>>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let mut rest = value.as_blob()?;
        let mut ways = vec![];
        while !rest.is_empty() {
            let hops = u32::from_be_bytes(take(&mut rest)?);
            // Not as many as it says at once: the bytes may be damaged.
            let mut way = vec![];
            for _ in 0..hops {
                way.push(hop(&mut rest)?);
            }
            ways.push(way);
        }
        Ok(Col(ways))
    }
}

fn hop(rest: &mut &[u8]) -> FromSqlResult<RouteHint> {
    let msat = |bytes| Msat::new(u64::from_be_bytes(bytes)).ok_or_else(|| wrong("a fee beyond all money"));
    Ok(RouteHint {
        node: NodeId::from_bytes(take(rest)?).map_err(FromSqlError::other)?,
        channel: ShortChannelId::from_bytes(take(rest)?),
        fee_base: msat(take(rest)?)?,
        fee_ppm: u32::from_be_bytes(take(rest)?),
        cltv_delta: CltvExpiryDelta::new(u16::from_be_bytes(take(rest)?)),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> FromSqlResult<[u8; N]> {
    let (taken, after) = rest.split_first_chunk().ok_or_else(|| wrong("cut short"))?;
    *rest = after;
    Ok(*taken)
}

fn wrong(why: &str) -> FromSqlError {
    FromSqlError::Other(format!("route hints: {why}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hint() -> impl Strategy<Value = RouteHint> {
        let numbers = (any::<u64>(), 0..=Msat::MAX.to_msat(), any::<u32>(), any::<u16>());
        (any::<[u8; 32]>(), numbers).prop_map(|(x, (channel, msat, fee_ppm, delta))| {
            let mut node = [3; 33];
            node[1..].copy_from_slice(&x);
            RouteHint {
                node: NodeId::from_bytes(node).expect("begins with 03"),
                channel: ShortChannelId::new(channel),
                fee_base: Msat::new(msat).expect("in supply"),
                fee_ppm,
                cltv_delta: CltvExpiryDelta::new(delta),
            }
        })
    }

    fn written(ways: &[Vec<RouteHint>]) -> Vec<u8> {
        match Col(ways).to_sql().expect("every list has a form") {
            ToSqlOutput::Owned(rusqlite::types::Value::Blob(bytes)) => bytes,
            other => panic!("an unexpected form: {other:?}"),
        }
    }

    fn read(bytes: &[u8]) -> FromSqlResult<Vec<Vec<RouteHint>>> {
        Col::column_result(ValueRef::Blob(bytes)).map(|Col(ways)| ways)
    }

    proptest! {
        #[test]
        fn hints_round_trip_and_are_read_whole_or_not_at_all(
            ways in prop::collection::vec(prop::collection::vec(hint(), 0..4), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = written(&ways);
            prop_assert_eq!(read(&bytes), Ok(ways.clone()));
            if !bytes.is_empty() {
                // A cut between two ways leaves those before it.
                match read(&bytes[..cut.index(bytes.len())]) {
                    Ok(fewer) => prop_assert_eq!(&fewer[..], &ways[..fewer.len()]),
                    Err(error) => prop_assert!(error.to_string().contains("cut short")),
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn the_layout_stays() {
        let hint = RouteHint {
            node: NodeId::from_bytes([2; 33]).expect("begins with 02"),
            channel: ShortChannelId::from_bytes([3; 8]),
            fee_base: Msat::new(0x0404).expect("small"),
            fee_ppm: 0x0505_0505,
            cltv_delta: CltvExpiryDelta::new(0x0606),
        };
        let hop = [&[2; 33][..], &[3; 8], &[0, 0, 0, 0, 0, 0, 4, 4], &[5; 4], &[6; 2]].concat();
        let expected = [&[0, 0, 0, 1][..], &hop, &[0, 0, 0, 0], &[0, 0, 0, 2], &hop, &hop].concat();
        assert_eq!(written(&[vec![hint], vec![], vec![hint, hint]]), expected);
    }

    #[test]
    fn what_no_column_may_hold() {
        let huge = [u32::MAX.to_be_bytes().as_slice(), &[2; 55]].concat();
        assert!(read(&huge).is_err(), "less hops than it says");
        let mut hop = [[0, 0, 0, 1].as_slice(), &[2; 33], &[0; 22]].concat();
        assert!(read(&hop).is_ok());
        hop[45] = 0xff;
        assert!(read(&hop).is_err(), "more than all money");
        hop[45] = 0;
        hop[4] = 4;
        assert!(read(&hop).is_err(), "no node id");
    }
}
