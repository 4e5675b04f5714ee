//! Questions for invoices, from the request to the invoice.

use super::dials::Dials;
use super::ways::{Reach, Way};
use super::{Answers, read_offer};
use crate::Ldk;
use crate::read_invoice::{refuse, seconds};
use bitcoin::secp256k1::{All, PublicKey, Secp256k1};
use lightning::blinded_path::message::{
    BlindedMessagePath, MessageContext, MessageForwardNode, OffersContext,
};
use lightning::ln::channelmanager::PaymentId;
use lightning::offers::invoice::Bolt12Invoice;
use lightning::offers::invoice_request::InvoiceRequest as Request;
use lightning::offers::nonce::Nonce;
use lightning::offers::offer::Offer;
use lightning::offers::parse::Bolt12SemanticError;
use lightning::onion_message::messenger::{Destination, MessageSendInstructions};
use lightning::onion_message::offers::OffersMessage;
use lightning::sign::{EntropySource as _, NodeSigner as _};
use lightning::util::ser::Writeable as _;
use sponte_engine::backend::{InvoiceRequest, OfferInvoice, Refusal, RefusalKind, Reply};
use sponte_proto::{Msat, PaymentHash};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many questions may be open at once.
const MOST: usize = 256;
/// Messages get lost, and nobody says so: the question is repeated, by another way if there is one.
const AGAIN: Duration = Duration::from_secs(3);
/// So many questions may wait for their answers over one node: a message has up to 33 kB, and LDK keeps
/// 256 for a peer, then drops.
const MOST_OVER_ONE: usize = 4;
/// The ways of so many are looked for in a step.
const LOOKS: usize = 16;
/// Nobody waits longer for an answer.
const LONGEST: Duration = Duration::from_secs(60);
/// Of what an issuer says why it refuses.
const MAX_SAID: usize = 200;

/// Questions that are open.
pub(crate) struct Asks {
    open: BTreeMap<[u8; 32], Ask>,
    dials: Dials,
    answers: Arc<Answers>,
    secp: Secp256k1<All>,
}

struct Ask {
    offer: Offer,
    amount: Msat,
    request: Request,
    /// How often it was sent, and over whom the last time.
    sent: usize,
    over: Option<PublicKey>,
    /// Nodes over whom it may go.
    firsts: Vec<PublicKey>,
    next: Instant,
    deadline: Instant,
    reply: Reply<Box<OfferInvoice>>,
}

type Given = Result<Box<OfferInvoice>, Refusal>;

impl Asks {
    pub(crate) fn new(answers: Arc<Answers>) -> Asks {
        Asks { open: BTreeMap::new(), dials: Dials::default(), answers, secp: Secp256k1::new() }
    }
}

fn unavailable(message: &str) -> Refusal {
    Refusal::new(RefusalKind::Unavailable, message)
}

fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Conflict, message)
}

impl Ldk {
    /// Asks the issuer of an offer for an invoice; answered when it has come, or will not.
    pub(crate) fn fetch_invoice(&mut self, wanted: &InvoiceRequest, reply: Reply<Box<OfferInvoice>>) {
        if self.asks.open.len() >= MOST {
            return reply(Err(unavailable("too many invoices are being asked for: try again in a moment")));
        }
        let (_, offer) = match read_offer(&wanted.offer, self.config.network) {
            Ok(read) => read,
            Err(refusal) => return reply(Err(refusal)),
        };
        let id = PaymentId(self.node.keys.get_secure_random_bytes());
        let request = match self.invoice_request(&offer, id, wanted) {
            Ok(request) => request,
            Err(why) => {
                return reply(Err(refuse(format!(
                    "no invoice can be asked for ({why:?}): see what it offers"
                ))));
            }
        };
        let (now, patience) = (Instant::now(), Duration::from_millis(wanted.patience_ms).min(LONGEST));
        let deadline = now + patience;
        let ask = Ask {
            offer,
            amount: wanted.amount,
            request,
            sent: 0,
            over: None,
            firsts: vec![],
            next: now,
            deadline,
            reply,
        };
        self.asks.answers.open(id);
        self.asks.open.insert(id.0, ask);
        self.drive_asks();
        self.node.peers.process_events();
    }

    /// Proves to whoever reads the answer that it is one to this question.
    fn invoice_request(
        &self,
        offer: &Offer,
        id: PaymentId,
        wanted: &InvoiceRequest,
    ) -> Result<Request, Bolt12SemanticError> {
        let (key, nonce) = (self.node.keys.get_expanded_key(), Nonce::from_entropy_source(&*self.node.keys));
        let builder = offer.request_invoice(&key, nonce, &self.asks.secp, id)?;
        let mut builder = builder.chain(self.config.network)?;
        if let Some(quantity) = wanted.quantity {
            builder = builder.quantity(quantity.into())?;
        }
        builder = builder.amount_msats(wanted.amount.to_msat())?;
        if let Some(note) = &wanted.note {
            builder = builder.payer_note(note.clone());
        }
        builder.build_and_sign()
    }

    /// Takes answers, sends what is due, gives up what took too long. Called in every step.
    pub(crate) fn drive_asks(&mut self) {
        if self.asks.open.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut open = vec![];
        for (id, ask) in std::mem::take(&mut self.asks.open) {
            match self.end(&PaymentId(id), &ask, now) {
                Some(given) => self.answer(&PaymentId(id), ask, given),
                None => open.push((id, ask)),
            }
        }
        let awaited = open.iter().filter(|(_, ask)| now < ask.next).filter_map(|(_, ask)| ask.over);
        let mut awaited: Vec<PublicKey> = awaited.collect();
        // Whoever waits longest goes first.
        open.sort_by_key(|(_, ask)| ask.next);
        let due = open.iter().take_while(|(_, ask)| ask.next <= now).count().min(LOOKS);
        let rest = open.split_off(due);
        for (id, mut ask) in open {
            match self.drive(&PaymentId(id), &mut ask, now, &mut awaited) {
                Some(given) => self.answer(&PaymentId(id), ask, given),
                None => drop(self.asks.open.insert(id, ask)),
            }
        }
        self.asks.open.extend(rest);
        let Ldk { asks: Asks { open, dials, .. }, peers, node, .. } = self;
        dials.keep(
            |id| open.values().any(|ask| ask.firsts.contains(id)),
            |id| peers.address(id).is_some() || !node.manager.list_channels_with_counterparty(id).is_empty(),
        );
    }

    fn answer(&self, id: &PaymentId, ask: Ask, given: Given) {
        self.asks.answers.close(id);
        (ask.reply)(given);
    }

    /// What came of it, if it has ended.
    fn end(&self, id: &PaymentId, ask: &Ask, now: Instant) -> Option<Given> {
        match self.asks.answers.take(id) {
            Some(answer) => Some(self.given(id, ask, answer)),
            None => (now >= ask.deadline).then(|| Err(unanswered(ask))),
        }
    }

    /// Sends it, by another way each time; what came of it if there is none. `awaited` are those over
    /// whom an answer is to come, once for each.
    fn drive(
        &mut self,
        id: &PaymentId,
        ask: &mut Ask,
        now: Instant,
        awaited: &mut Vec<PublicKey>,
    ) -> Option<Given> {
        let ways = self.ways(&ask.offer);
        if ways.is_empty() && ask.sent == 0 {
            return Some(Err(unanswered(ask)));
        }
        ask.firsts = ways.iter().map(|way| way.first).collect();
        let ready: Vec<&Way> = ways.iter().filter(|way| !matches!(way.reach, Reach::At(_))).collect();
        let turn = ready.get(ask.sent % ready.len().max(1));
        // With one that answers there is no need of others at first.
        if turn.is_none() || ask.sent > 0 {
            self.dial(&ways);
        }
        let way = turn?;
        if awaited.iter().filter(|over| **over == way.first).count() < MOST_OVER_ONE {
            awaited.push(way.first);
            self.send_request(id, ask, way);
            (ask.next, ask.over) = (now + AGAIN, Some(way.first));
        }
        None
    }

    fn dial(&mut self, ways: &[Way]) {
        for way in ways {
            if let Reach::At(addresses) = &way.reach {
                let (peers, runtime) = (&self.node.peers, &self.runtime);
                self.asks.dials.reach(way.first, addresses, peers, runtime, &self.waker);
            }
        }
    }

    fn send_request(&self, id: &PaymentId, ask: &mut Ask, way: &Way) {
        let message = OffersMessage::InvoiceRequest(ask.request.clone());
        let reply_path = self.reply_path(id, way, ask.sent);
        let destination = way.destination.clone();
        let instructions = MessageSendInstructions::WithSpecifiedReplyPath { destination, reply_path };
        let sent = self.node.messages.inner().send_onion_message(message, instructions);
        tracing::debug!(first = %way.first, ?sent, "asked for an invoice");
        ask.sent += 1;
    }

    /// The answer comes back by the node over which the question goes, which its reader reaches; and
    /// straight to us if that is the issuer itself, or has brought nothing.
    fn reply_path(&self, id: &PaymentId, way: &Way, sent: usize) -> BlindedMessagePath {
        let context = MessageContext::Offers(OffersContext::OutboundPaymentForOffer { payment_id: *id });
        let to_issuer = matches!(way.destination, Destination::Node(_));
        let straight = way.reach == Reach::Us || (to_issuer == sent.is_multiple_of(2));
        let over = MessageForwardNode { node_id: way.first, short_channel_id: None };
        let over = if straight { vec![] } else { vec![over] };
        let keys = &*self.node.keys;
        let auth = keys.get_receive_auth_key();
        BlindedMessagePath::new(&over, self.node.id, auth, context, false, keys, &self.asks.secp)
    }

    fn given(&self, id: &PaymentId, ask: &Ask, answer: OffersMessage) -> Given {
        match answer {
            OffersMessage::Invoice(invoice) => self.check(id, ask, &invoice),
            OffersMessage::InvoiceError(error) => {
                let said: String = error.to_string().chars().take(MAX_SAID).collect();
                Err(wrong(format!("the offer's issuer gives no invoice (`{said}`): ask it why")))
            }
            OffersMessage::StaticInvoice(_) | OffersMessage::InvoiceRequest(_) => Err(wrong(
                "the offer's issuer is often offline, and this node cannot pay it then: ask it when",
            )),
        }
    }

    /// LDK has read it, and has checked that who signed it is the offer's issuer.
    fn check(&self, id: &PaymentId, ask: &Ask, invoice: &Bolt12Invoice) -> Given {
        let key = self.node.keys.get_expanded_key();
        let is_ours = invoice.is_for_offer()
            && invoice.verify_using_metadata(&key, &self.asks.secp) == Ok(*id)
            && invoice.offer_id() == Some(ask.offer.id());
        if !is_ours {
            return Err(wrong("the offer's issuer gave an invoice for something else: ask it why"));
        }
        if invoice.amount_msats() != ask.amount.to_msat() {
            return Err(wrong("the offer's issuer gave an invoice over another amount: ask it why"));
        }
        if invoice.is_expired() {
            return Err(wrong("the offer's issuer gave an invoice that has expired: ask it why"));
        }
        let features = invoice.invoice_features();
        if features.requires_unknown_bits() {
            return Err(wrong(
                "the offer's issuer asks for features which this node does not know: ask it why",
            ));
        }
        let expires = invoice.created_at().saturating_add(invoice.relative_expiry());
        Ok(Box::new(OfferInvoice {
            hash: PaymentHash::from_bytes(invoice.payment_hash().0),
            expires_at: seconds(expires.as_secs()),
            in_parts: features.supports_basic_mpp(),
            invoice: invoice.encode(),
        }))
    }
}

fn unanswered(ask: &Ask) -> Refusal {
    unavailable(match ask.sent {
        0 => {
            "the offer's issuer cannot be reached: connect to it, or to a node that it names, or try again later"
        }
        _ => "the offer's issuer was asked for an invoice and did not answer in time: try again later",
    })
}
