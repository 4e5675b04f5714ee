//! What paying an invoice asks for.

use crate::backend::{OfferInvoice, Quantities, ReadInvoice, ReadOffer, RouteHint};
use crate::commit::{Offered, PaidInvoice};
use crate::output::PayError;
use crate::request::{FINAL_CLTV, MAX_HINTS, PayRequest};
use sponte_proto::{CltvExpiryDelta, Msat, Timestamp};

/// Blocks on top of what an invoice asks for: some arrive while a payment is on its way.
const PADDING: u16 = 3;

impl ReadInvoice {
    /// The highest [`ReadInvoice::min_final_cltv`] that leaves routes their own blocks.
    pub const MAX_FINAL_CLTV: CltvExpiryDelta = CltvExpiryDelta::new(*FINAL_CLTV.end() - PADDING);

    /// What its payment is known by if the caller does not say: an invoice that is paid once has a
    /// key of its own, so that nobody pays it twice by mistake. `None` of an AMP invoice, which
    /// may be paid any number of times.
    pub fn key(&self) -> Option<String> {
        self.hash.map(|hash| format!("bolt11:{hash}"))
    }

    /// What is paid.
    ///
    /// # Errors
    /// [`PayError::NoAmount`] if neither names one, [`PayError::OtherAmount`] if they differ.
    pub fn amount_to_pay(&self, asked: Option<Msat>) -> Result<Msat, PayError> {
        match (self.amount, asked) {
            (Some(amount), Some(asked)) if asked != amount => Err(PayError::OtherAmount(amount)),
            (Some(amount), _) => Ok(amount),
            (None, asked) => asked.ok_or(PayError::NoAmount),
        }
    }
}

impl ReadOffer {
    /// What is paid for so many of it.
    ///
    /// # Errors
    /// [`PayError::NoAmount`] if neither names one, [`PayError::OfferAsksMore`] if the caller pays too
    /// little; [`PayError::NoQuantity`] and [`PayError::BadQuantity`].
    pub fn amount_to_pay(&self, asked: Option<Msat>, quantity: Option<u32>) -> Result<Msat, PayError> {
        let items = match (self.quantities, quantity) {
            (Quantities::One, None) => 1,
            (Quantities::One, Some(_)) => return Err(PayError::BadQuantity(self.quantities)),
            (_, None) => return Err(PayError::NoQuantity),
            (Quantities::UpTo(most), Some(items)) if u64::from(items) > most => {
                return Err(PayError::BadQuantity(self.quantities));
            }
            (_, Some(0)) => return Err(PayError::BadQuantity(self.quantities)),
            (_, Some(items)) => items,
        };
        let Some(each) = self.amount else { return asked.ok_or(PayError::NoAmount) };
        let least = each.to_msat().checked_mul(u64::from(items)).and_then(Msat::new);
        let least = least.ok_or(PayError::BadQuantity(self.quantities))?;
        match asked {
            Some(asked) if asked < least => Err(PayError::OfferAsksMore(least)),
            asked => Ok(asked.unwrap_or(least)),
        }
    }
}

impl PayRequest {
    /// Makes it the payment of an invoice: in as many parts as the invoice allows, with at least
    /// the final expiry that it asks for, and over its hints too. Destination and amount are the
    /// caller's to set.
    pub fn for_invoice(mut self, invoice: ReadInvoice) -> PayRequest {
        let (least, padding) = (invoice.min_final_cltv, CltvExpiryDelta::new(PADDING));
        let least =
            least.checked_add(padding).unwrap_or(least).max(CltvExpiryDelta::new(*FINAL_CLTV.start()));
        self.final_cltv = Some(self.final_cltv.unwrap_or(least).max(least));
        if !invoice.in_parts {
            self.max_parts = self.max_parts.min(1);
        }
        let usable = |hint: &Vec<RouteHint>| (1..=MAX_HINTS).contains(&hint.len());
        let room = MAX_HINTS.saturating_sub(self.hints.len());
        self.hints.extend(invoice.hints.into_iter().filter(usable).take(room));
        let ReadInvoice { text, hash, payment_addr, metadata, expires_at, .. } = invoice;
        let payment_addr = Some(payment_addr);
        let invoice = PaidInvoice { text, hash, payment_addr, metadata, offered: None };
        self.invoice = Some((invoice, expires_at));
        self
    }

    /// Makes it the payment of an offer, whose invoice is still to come. Destination and amount are
    /// the caller's to set.
    pub fn for_offer(mut self, offer: ReadOffer, quantity: Option<u32>, note: Option<String>) -> PayRequest {
        let ReadOffer { text, expires_at, .. } = offer;
        let offered = Some(Offered { invoice: vec![], quantity, note });
        let invoice = PaidInvoice { text, hash: None, payment_addr: None, metadata: None, offered };
        let end_of_time = Timestamp::from_millis(u64::MAX);
        self.invoice = Some((invoice, expires_at.unwrap_or(end_of_time)));
        self
    }

    /// The invoice of its offer has come.
    pub fn with_offer_invoice(mut self, given: OfferInvoice) -> PayRequest {
        let OfferInvoice { invoice, hash, expires_at, in_parts } = given;
        if !in_parts {
            self.max_parts = self.max_parts.min(1);
        }
        if let Some((paid, expiry)) = &mut self.invoice {
            paid.hash = Some(hash);
            paid.offered = paid.offered.take().map(|offered| Offered { invoice, ..offered });
            *expiry = expires_at;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_proto::{NodeId, PaymentHash, PaymentSecret, Records, ShortChannelId, Timestamp};

    fn node() -> NodeId {
        NodeId::from_bytes([3; 33]).expect("2 or 3")
    }

    fn hint() -> RouteHint {
        RouteHint {
            node: node(),
            channel: ShortChannelId::new(7),
            fee_base: Msat::ZERO,
            fee_ppm: 0,
            cltv_delta: CltvExpiryDelta::new(1),
        }
    }

    fn invoice() -> ReadInvoice {
        ReadInvoice {
            text: "lnbc1".into(),
            destination: node(),
            amount: Msat::new(5_000),
            hash: Some(PaymentHash::from_bytes([0xab; 32])),
            payment_addr: PaymentSecret::from_bytes([5; 32]),
            metadata: Some(vec![1]),
            min_final_cltv: CltvExpiryDelta::new(80),
            hints: vec![vec![], vec![hint(), hint()], vec![hint(); MAX_HINTS + 1]],
            in_parts: true,
            created_at: Timestamp::from_millis(1),
            expires_at: Timestamp::from_millis(9),
            description: String::new(),
        }
    }

    fn request(change: impl FnOnce(&mut PayRequest), invoice: ReadInvoice) -> PayRequest {
        let mut request = PayRequest {
            key: "k".into(),
            destination: invoice.destination,
            amount: Msat::new(5_000).expect("small"),
            kind: None,
            fall_back: None,
            max_fee: None,
            max_parts: 16,
            timeout_ms: 1,
            max_attempts: 1,
            final_cltv: None,
            hints: vec![vec![hint()]],
            records: Records::new(),
            invoice: None,
        };
        change(&mut request);
        request.for_invoice(invoice)
    }

    #[test]
    fn an_invoice_says_how_it_is_paid() {
        let request = request(|_| (), invoice());
        assert_eq!(request.final_cltv, Some(CltvExpiryDelta::new(83)));
        assert_eq!(request.max_parts, 16);
        assert_eq!(request.hints, [vec![hint()], vec![hint(), hint()]]);
        let (paid, expires_at) = request.invoice.as_ref().expect("its own");
        assert_eq!((paid.text.as_str(), *expires_at), ("lnbc1", Timestamp::from_millis(9)));
        let us = NodeId::from_bytes([2; 33]).expect("2 or 3");
        assert_eq!(request.check(us), Ok(()));
    }

    #[test]
    fn the_final_expiry_is_never_nearer_than_asked_for() {
        let expiry = |asked: Option<u16>, theirs: u16| {
            let invoice = ReadInvoice { min_final_cltv: CltvExpiryDelta::new(theirs), ..invoice() };
            let asked = asked.map(CltvExpiryDelta::new);
            request(|request| request.final_cltv = asked, invoice).final_cltv.map(CltvExpiryDelta::to_u16)
        };
        assert_eq!(expiry(None, 9), Some(42));
        assert_eq!(expiry(Some(50), 80), Some(83));
        assert_eq!(expiry(Some(200), 80), Some(200));
        assert_eq!(expiry(None, ReadInvoice::MAX_FINAL_CLTV.to_u16()), Some(800));
    }

    #[test]
    fn without_basic_mpp_there_is_one_part() {
        let invoice = ReadInvoice { in_parts: false, ..invoice() };
        assert_eq!(request(|_| (), invoice).max_parts, 1);
    }

    #[test]
    fn the_amount_is_named_once() {
        let msat = |msat| Msat::new(msat).expect("small");
        let any = ReadInvoice { amount: None, ..invoice() };
        assert_eq!(invoice().amount_to_pay(None), Ok(msat(5_000)));
        assert_eq!(invoice().amount_to_pay(Some(msat(5_000))), Ok(msat(5_000)));
        assert_eq!(invoice().amount_to_pay(Some(msat(5_001))), Err(PayError::OtherAmount(msat(5_000))));
        assert_eq!(any.amount_to_pay(Some(msat(7))), Ok(msat(7)));
        assert_eq!(any.amount_to_pay(None), Err(PayError::NoAmount));
    }

    #[test]
    fn only_what_is_paid_once_has_a_key_of_its_own() {
        assert_eq!(invoice().key(), Some(format!("bolt11:{}", "ab".repeat(32))));
        assert_eq!(ReadInvoice { hash: None, ..invoice() }.key(), None);
    }
}
