//! The bytes of a row. They lie in the databases of running nodes.

use super::SentHtlc;
use lightning::ln::types::ChannelId;
use sponte_engine::backend::SessionKey;
use sponte_engine::commit::PartFailure;
use sponte_proto::failure::FailureCode;
use sponte_proto::{NodeId, PaymentHash, ShortChannelId};

const VERSION: u8 = 1;

/// An option is 0, or 1 and what it holds.
const NONE: u8 = 0;
const SOME: u8 = 1;

impl SentHtlc {
    /// `version(1) = 1 ‖ session key(32) ‖ payment hash(32) ‖ channel id(32) ‖ hops(1)`, for each hop
    /// `node(33) ‖ short channel id(8)`, then `number?(u64) ‖ failure?`, a failure being
    /// `hop?(u32) ‖ code?(u16) ‖ short channel id?(8)`.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.session_key.as_bytes());
        out.extend(self.hash.to_bytes());
        out.extend(self.channel.0);
        // LDK sends nothing over more than 20.
        let hops = u8::try_from(self.hops.len()).unwrap_or(u8::MAX);
        out.push(hops);
        for (node, channel) in &self.hops[..usize::from(hops)] {
            out.extend(node.to_bytes());
            out.extend(channel.to_bytes());
        }
        write(&mut out, self.number.map(u64::to_be_bytes));
        match self.failure {
            None => out.push(NONE),
            Some(PartFailure { hop, code, channel }) => {
                out.push(SOME);
                write(&mut out, hop.map(u32::to_be_bytes));
                write(&mut out, code.map(|code| code.to_u16().to_be_bytes()));
                write(&mut out, channel.map(ShortChannelId::to_bytes));
            }
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<SentHtlc> {
        let mut rest = bytes;
        if take(&mut rest)? != [VERSION] {
            return None;
        }
        let session_key = SessionKey::from_bytes(take(&mut rest)?);
        let hash = PaymentHash::from_bytes(take(&mut rest)?);
        let channel = ChannelId(take(&mut rest)?);
        let [hops] = take(&mut rest)?;
        let hop = |rest: &mut &[u8]| {
            Some((NodeId::from_bytes(take(rest)?).ok()?, ShortChannelId::from_bytes(take(rest)?)))
        };
        let hops = (0..hops).map(|_| hop(&mut rest)).collect::<Option<_>>()?;
        let number = read(&mut rest)?.map(u64::from_be_bytes);
        let failure = match take(&mut rest)? {
            [NONE] => None,
            [SOME] => Some(PartFailure {
                hop: read(&mut rest)?.map(u32::from_be_bytes),
                code: read(&mut rest)?.map(|code| FailureCode::new(u16::from_be_bytes(code))),
                channel: read(&mut rest)?.map(ShortChannelId::from_bytes),
            }),
            _ => return None,
        };
        rest.is_empty().then_some(SentHtlc { session_key, hash, channel, hops, number, failure })
    }
}

fn write<const N: usize>(out: &mut Vec<u8>, value: Option<[u8; N]>) {
    match value {
        None => out.push(NONE),
        Some(bytes) => {
            out.push(SOME);
            out.extend(bytes);
        }
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn read<const N: usize>(bytes: &mut &[u8]) -> Option<Option<[u8; N]>> {
    match take(bytes)? {
        [NONE] => Some(None),
        [SOME] => take(bytes).map(Some),
        _ => None,
    }
}
