//! Payments to us: how LDK shows them, what it still has of them, and how they are failed.

use crate::Ldk;
use crate::convert::{channel_id, msat};
use crate::htlcs::Listed;
use crate::interpreter::Interpreter;
use crate::payments::preimage;
use crate::translate::{Kind, read_facts};
use lightning::chain::channelmonitor::{Balance, HTLC_FAIL_BACK_BUFFER};
use lightning::events::{Event, PaymentPurpose};
use lightning::ln::channel_state::{ChannelDetails, InboundHTLCDetails, InboundHTLCStateDetails};
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::types::payment::PaymentHash as LdkHash;
use sponte_engine::backend::{BackendEvent, Claimable, Claimed, ClaimedPart, FailAs, Purpose, ReceiveFailed};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::failure::FailureCode;
use sponte_proto::mpp::PaymentData;
use sponte_proto::{BlockHeight, CltvExpiry, PaymentHash, PaymentId, PaymentSecret, Records};
use std::collections::{BTreeMap, HashSet};

/// Hashes whose HTLCs wait in LDK for a claim or a failure, and the height at which it fails them
/// by itself. LDK has them all and tells nobody.
pub(crate) type Waiting = BTreeMap<PaymentHash, BlockHeight>;

/// Rounds of LDK's own work in which a failure becomes one of its channel's: one, and one more for
/// what the first brings.
const ROUNDS: usize = 2;

impl Ldk {
    pub(crate) fn interpreter(&self) -> &Interpreter {
        self.node.handler.interpreter()
    }

    /// LDK's event of a payment to us.
    pub(crate) fn received(&mut self, event: Event) -> Option<BackendEvent> {
        match event {
            Event::PaymentClaimable {
                payment_hash,
                onion_fields,
                amount_msat,
                purpose,
                receiving_channel_ids,
                claim_deadline,
                payment_id,
                ..
            } => {
                let hash = PaymentHash::from_bytes(payment_hash.0);
                self.waiting.extend(claim_deadline.map(|height| (hash, BlockHeight::new(height))));
                let channels: Vec<_> = receiving_channel_ids.iter().map(|(id, _)| *id).collect();
                let kind = self.interpreter().htlcs.kind(&hash, &channels);
                let (purpose, records) = purpose_of(&purpose, onion_fields, kind);
                Some(BackendEvent::Claimable(Box::new(Claimable {
                    id: PaymentId::from_bytes(payment_id.map_or(payment_hash.0, |id| id.0)),
                    hash,
                    amount: msat(amount_msat),
                    channels: channels.into_iter().map(channel_id).collect(),
                    // LDK's deadline lies so many blocks before the lowest expiry.
                    expiry: claim_deadline.map(|height| CltvExpiry::new(height + HTLC_FAIL_BACK_BUFFER)),
                    claim_deadline: claim_deadline.map(BlockHeight::new),
                    records,
                    purpose,
                })))
            }
            Event::PaymentClaimed { payment_hash, htlcs, payment_id, .. } => {
                self.claims.remove(&PaymentHash::from_bytes(payment_hash.0));
                let parts = htlcs.iter().map(|htlc| ClaimedPart {
                    channel: channel_id(htlc.channel_id),
                    amount: msat(htlc.value_msat),
                    expiry: CltvExpiry::new(htlc.cltv_expiry),
                });
                Some(BackendEvent::Claimed(Claimed {
                    id: PaymentId::from_bytes(payment_id.map_or(payment_hash.0, |id| id.0)),
                    hash: PaymentHash::from_bytes(payment_hash.0),
                    parts: parts.collect(),
                }))
            }
            _ => None,
        }
    }

    /// LDK's event names a hash and a channel. HTLCs that wait under the hash are the ones that failed
    /// only if their own deadline has come; else LDK refused a further one.
    pub(crate) fn receive_failed(
        &mut self,
        hash: LdkHash,
        channels: &[lightning::ln::types::ChannelId],
    ) -> ReceiveFailed {
        let id = PaymentHash::from_bytes(hash.0);
        let height = self.height();
        let waiting = self.waiting.get(&id).is_some_and(|deadline| height < *deadline);
        if !waiting {
            self.waiting.remove(&id);
        }
        ReceiveFailed {
            hash: id,
            channels: channels.iter().copied().map(channel_id).collect(),
            // Every refused HTLC comes here, and the look costs as much as there are channels.
            claiming: !waiting && self.claims.contains(&id) && self.is_claiming(hash),
            waiting,
        }
    }

    /// Whether LDK is claiming HTLCs of a hash. It fails every further one meanwhile, and the event
    /// names the hash only. A claim shows in its channels at once, also while it waits for the
    /// disk; of a channel that closed in that time it is not known.
    fn is_claiming(&self, hash: LdkHash) -> bool {
        let channels = self.node.manager.list_channels();
        channels.iter().flat_map(|channel| &channel.pending_inbound_htlcs).any(|htlc| {
            let removal = htlc.state == Some(InboundHTLCStateDetails::AwaitingRemoteRevokeToRemoveFulfill);
            removal && htlc.payment_hash == hash
        })
    }

    /// Fails what waits under a hash. LDK has no code for a timeout of ours: its answer is rewritten as
    /// it leaves. (Sets of keysend it times out by itself.)
    pub(crate) fn fail_incoming(&mut self, hash: PaymentHash, fail_as: FailAs) {
        self.waiting.remove(&hash);
        match fail_as {
            FailAs::Timeout => self.interpreter().htlcs.fail_with(&hash, FailureCode::MPP_TIMEOUT),
            FailAs::Unknown => {}
        }
        self.node.manager.fail_htlc_backwards(&LdkHash(hash.to_bytes()));
    }

    /// At start: the hashes of the HTLCs that LDK still has, and has not failed; in channels and,
    /// where they are closed, on the chain. Not those of payments that are still to be shown.
    pub(crate) fn recover_incoming(&mut self) -> HashSet<PaymentHash> {
        // What it failed at the blocks of the start is not a failure in its channels before this.
        for _ in 0..ROUNDS {
            self.node.manager.process_pending_htlc_forwards();
        }
        self.take_ldk_events();
        let channels = self.node.manager.list_channels();
        let in_channels = channels.iter().flat_map(|channel| &channel.pending_inbound_htlcs);
        let in_channels = in_channels.filter(|htlc| !is_failing(htlc));
        let mut held: HashSet<_> =
            in_channels.clone().map(|htlc| PaymentHash::from_bytes(htlc.payment_hash.0)).collect();
        for htlc in in_channels.filter(|htlc| htlc.state == Some(InboundHTLCStateDetails::Committed)) {
            self.note_waiting(htlc.payment_hash, htlc.cltv_expiry);
        }
        for (hash, expiry) in self.on_chain(&channels) {
            held.insert(PaymentHash::from_bytes(hash.0));
            self.note_waiting(hash, expiry);
        }
        for event in &self.events {
            if let BackendEvent::Claimable(claimable) = event {
                held.remove(&claimable.hash);
            }
        }
        held
    }

    /// The lowest expiry of a hash decides.
    fn note_waiting(&mut self, hash: LdkHash, expiry: u32) {
        let deadline = BlockHeight::new(expiry.saturating_sub(HTLC_FAIL_BACK_BUFFER));
        let known = self.waiting.entry(PaymentHash::from_bytes(hash.0)).or_insert(deadline);
        *known = deadline.min(*known);
    }

    /// HTLCs to us, with their expiries, of channels that are closed.
    fn on_chain(&self, open: &[ChannelDetails]) -> Vec<(LdkHash, u32)> {
        let balances = self.node.monitor.get_claimable_balances(&open.iter().collect::<Vec<_>>());
        let htlcs = balances.into_iter().filter_map(|balance| match balance {
            Balance::MaybePreimageClaimableHTLC { payment_hash, expiry_height, .. } => {
                Some((payment_hash, expiry_height))
            }
            Balance::ContentiousClaimable { payment_hash, timeout_height, .. } => {
                Some((payment_hash, timeout_height))
            }
            _ => None,
        });
        htlcs.collect()
    }

    /// Lets go of the rows of HTLCs that are gone, and learns which channels there are. The manager
    /// is written in the same step: one that still knows an HTLC must have its row.
    pub(crate) fn forget_gone_htlcs(&mut self) {
        let manager = &self.node.manager;
        let list = || {
            let mut listed = Listed::default();
            for channel in manager.list_channels() {
                listed.channels.insert(channel.channel_id, channel.counterparty.node_id);
                let htlcs = channel.pending_inbound_htlcs.iter();
                listed.htlcs.extend(htlcs.map(|htlc| (channel.channel_id, htlc.htlc_id)));
            }
            listed
        };
        let any = self.interpreter().htlcs.forget_gone(list);
        self.manager_due |= any;
        let height = self.height();
        self.waiting.retain(|_, deadline| height < *deadline);
    }
}

fn is_failing(htlc: &InboundHTLCDetails) -> bool {
    htlc.state == Some(InboundHTLCStateDetails::AwaitingRemoteRevokeToRemoveFail)
}

/// What tells the kind, and the records that do not. An AMP part is an invoice's payment for LDK, with a
/// hash that is not LDK's. A hash that is, and so a preimage, only an ordinary invoice of ours has.
fn purpose_of(
    purpose: &PaymentPurpose,
    fields: Option<RecipientOnionFields>,
    kind: Option<Kind>,
) -> (Purpose, Records) {
    let fields = fields.unwrap_or_else(|| RecipientOnionFields::spontaneous_empty(0));
    let mut records = fields.custom_tlvs().clone();
    let purpose = match (purpose, kind) {
        (PaymentPurpose::SpontaneousPayment(secret), Some(Kind::Ecdh(version))) => {
            if version == Version::Ecdh1 {
                records.retain(|(kind, _)| *kind != ECDH_RECORD.to_u64());
            }
            Purpose::Ecdh { version, preimage: preimage(*secret) }
        }
        (PaymentPurpose::SpontaneousPayment(secret), _) => {
            let data = |secret: lightning::types::payment::PaymentSecret| {
                PaymentData::new(PaymentSecret::from_bytes(secret.0), msat(fields.total_mpp_amount_msat))
            };
            Purpose::Keysend { preimage: preimage(*secret), payment_data: fields.payment_secret.map(data) }
        }
        (PaymentPurpose::Bolt11InvoicePayment { payment_preimage: None, .. }, _) => {
            let shard = fields.payment_metadata.as_deref().and_then(read_facts);
            shard.map_or(Purpose::Unknown, |shard| Purpose::Amp(Box::new(shard)))
        }
        (PaymentPurpose::Bolt11InvoicePayment { payment_preimage: Some(secret), .. }, _) => {
            Purpose::Bolt11 { preimage: preimage(*secret) }
        }
        _ => Purpose::Unknown,
    };
    (purpose, Records::from_received(records))
}
