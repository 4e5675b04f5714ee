//! Whether a part may join its set, in the order of the facts. The sender hears of all refusals
//! the same (law 7); the reasons are for the counters.

use super::sets::{self, SetKey};
use super::{Incoming, MARGIN};
use crate::backend::{AmpShard, Claimable, Kinds, Purpose};
use crate::commit::{InvoiceState, Reason};
use crate::input::{AmpFact, Fact};
use crate::receive::Receive;
use sponte_proto::ecdh::Version;
use sponte_proto::{BlockHeight, Msat, Timestamp};

/// What becomes of a part that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It joins its set.
    Join {
        /// It was paid to an invoice of ours.
        to_invoice: bool,
        /// This set gives way to it.
        instead_of: Option<SetKey>,
    },
    /// It alone is refused.
    Refuse(Reason),
    /// Its set can never be complete: all of it is refused.
    FailSet(Reason),
}

impl Incoming {
    /// Says what becomes of a part of whose hash nothing waits but what is of its own set.
    pub(super) fn check(&self, now: Timestamp, claimable: &Claimable, fact: &Fact) -> Verdict {
        let key = SetKey::of(claimable);
        let to_invoice = match self.check_kind(now, claimable, fact) {
            Ok(to_invoice) => to_invoice,
            Err(reason) => return Verdict::Refuse(reason),
        };
        let set = self.sets.get(key);
        if set.is_some_and(|set| set.total != sets::total(claimable)) {
            // BOLT 4: parts of one hash with another total fail the set. Shards of AMP have a hash
            // each, and anybody who knows the address can send one: LND fails that one alone.
            return match key {
                SetKey::Amp(..) => Verdict::Refuse(Reason::Total),
                _ => Verdict::FailSet(Reason::Total),
            };
        }
        let sum = set.map_or(Msat::ZERO, sets::Set::sum).checked_add(claimable.amount).unwrap_or(Msat::MAX);
        let waits = !self.recovered || sum < sets::total(claimable);
        let alone = set.is_none() && !waits;
        if let Err(reason) =
            check_policy(self.policy(), claimable).and_then(|()| self.check_expiry(claimable, alone))
        {
            return Verdict::Refuse(reason);
        }
        let same_hash = |set: &sets::Set| set.claimables().any(|part| part.hash == claimable.hash);
        if set.is_some_and(|set| set.repeats(claimable) || (key.amp().is_some() && same_hash(set))) {
            return Verdict::FailSet(Reason::Shares);
        }
        match self.sets.check_limits(key, claimable, to_invoice, waits) {
            Ok(instead_of) => Verdict::Join { to_invoice, instead_of },
            Err(reason) => Verdict::Refuse(reason),
        }
    }

    /// What is asked of each kind; answers whether it was paid to an invoice of ours.
    fn check_kind(&self, now: Timestamp, claimable: &Claimable, fact: &Fact) -> Result<bool, Reason> {
        let kinds = self.policy().kinds;
        let preimage = match &claimable.purpose {
            Purpose::Unknown => return Err(Reason::Unknown),
            Purpose::Amp(shard) => {
                let Fact::Amp(fact) = fact else { return Err(Reason::Repeated) };
                return check_amp(now, kinds, shard, fact);
            }
            Purpose::Keysend { preimage, .. } => {
                let in_parts = claimable.amount < sets::total(claimable);
                let on = if in_parts { kinds.mpp_keysend } else { kinds.keysend || kinds.mpp_keysend };
                if !on { Err(Reason::Off) } else { Ok(preimage) }
            }
            Purpose::Ecdh { version, preimage } => {
                let on = if *version == Version::Ecdh0 { kinds.ecdh0 } else { kinds.ecdh1 };
                if !on { Err(Reason::Off) } else { Ok(preimage) }
            }
            Purpose::Bolt11 { preimage } => Ok(preimage),
        }?;
        if !preimage.opens(&claimable.hash) {
            return Err(Reason::Preimage);
        }
        // Without the fact nobody knows that it is new, and a preimage is for one payment.
        if *fact != Fact::Received(false) {
            return Err(Reason::Repeated);
        }
        Ok(matches!(claimable.purpose, Purpose::Bolt11 { .. }))
    }

    fn check_expiry(&self, claimable: &Claimable, alone: bool) -> Result<(), Reason> {
        if claimable.claim_deadline.is_some_and(|deadline| self.is_late(deadline, alone)) {
            return Err(Reason::Expiry);
        }
        Ok(())
    }

    /// Whether HTLCs with this deadline may be claimed no more. What one claim takes as soon as it
    /// comes needs no margin: payers leave few blocks more than the backend asks for.
    pub(super) fn is_late(&self, deadline: BlockHeight, alone: bool) -> bool {
        let last = if alone { deadline } else { last_height(deadline) };
        self.recovered && last <= self.height
    }
}

/// From this height on sets with a deadline neither wait nor are held.
pub(super) fn last_height(deadline: BlockHeight) -> BlockHeight {
    BlockHeight::new(deadline.to_u32().saturating_sub(MARGIN))
}

fn check_amp(now: Timestamp, kinds: Kinds, shard: &AmpShard, fact: &AmpFact) -> Result<bool, Reason> {
    let total = shard.payment_data.total();
    let to_invoice = match &fact.invoice {
        Some(_) if !kinds.amp_invoice => return Err(Reason::Off),
        Some(row) if row.state != InvoiceState::Open || now >= row.expires_at => return Err(Reason::Invoice),
        Some(row) if row.amount.is_some_and(|least| total < least) => return Err(Reason::Total),
        Some(_) => true,
        None if !kinds.amp => return Err(Reason::Off),
        None => false,
    };
    if total == Msat::ZERO {
        return Err(Reason::Total);
    }
    if shard.record.set_id.is_zero() {
        return Err(Reason::Shares);
    }
    let one_shot = !to_invoice && fact.address_paid;
    if fact.received || fact.set_paid || one_shot { Err(Reason::Repeated) } else { Ok(to_invoice) }
}

fn check_policy(policy: &Receive, claimable: &Claimable) -> Result<(), Reason> {
    let total = sets::total(claimable);
    let too_much = is_above(policy, claimable, total.max(claimable.amount));
    let too_little = total < policy.min && !says_amount(claimable);
    if claimable.amount == Msat::ZERO || too_little || too_much {
        return Err(Reason::Amount);
    }
    check_records(policy, claimable.records.encode().len())
}

/// Whether a payment of this kind may not be worth so much.
pub(super) fn is_above(policy: &Receive, claimable: &Claimable, amount: Msat) -> bool {
    policy.max.is_some_and(|max| amount > max) && !says_amount(claimable)
}

/// Whether an invoice, and not the policy, says what may come.
fn says_amount(claimable: &Claimable) -> bool {
    matches!(claimable.purpose, Purpose::Bolt11 { .. })
}

/// Whether records with so many bytes are taken.
pub(super) fn check_records(policy: &Receive, bytes: usize) -> Result<(), Reason> {
    if u32::try_from(bytes).is_ok_and(|bytes| bytes <= policy.max_records_bytes) {
        Ok(())
    } else {
        Err(Reason::Records)
    }
}
