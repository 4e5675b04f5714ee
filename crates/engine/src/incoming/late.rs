//! Money that came for a part that was taken for failed or canceled.

use super::claims::settle;
use super::payment::{Payment, book_claimed};
use crate::backend::Claimed;
use crate::books::Books;
use crate::commit::State;
use crate::input::PastPart;
use crate::step::Step;

/// Books it, and the payment becomes settled for all that came. A part that is settled is a repeat.
pub(super) fn handle_late_claim(books: &mut Books, step: &mut Step, claimed: &Claimed, past: PastPart) {
    let PastPart { payment: row, parts } = past;
    let ended = row.state.has_ended();
    let mut payment = Payment { row, parts };
    let part = payment.parts.iter().position(|part| part.claim.id == Some(claimed.id));
    let Some(at) = part.filter(|at| ended && payment.parts[*at].state != State::Settled) else { return };
    book_claimed(books, step, &mut payment.parts, at, claimed);
    let received = payment.received();
    let count = u32::from(payment.row.state != State::Settled);
    settle(step, payment.row, received, count);
}
