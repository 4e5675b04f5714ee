//! What a route may cost if the caller does not say.

use sponte_proto::Msat;

/// Enough for the base fees of a few hops, whatever the amount.
const BASE: Msat = match Msat::from_sat(5) {
    Some(base) => base,
    None => unreachable!(),
};
/// One percent, above what nearly every route asks for.
const PARTS_PER_MILLION: u32 = 10_000;

/// The fee limit of a payment whose caller set none: 5 sat and 1% of the amount.
///
/// A share alone would refuse every route for a tiny payment, whose fee is the hops' base fees;
/// a fixed sum alone would refuse every route for a large one.
pub fn default_max_fee(amount: Msat) -> Msat {
    amount.ceil_ppm(PARTS_PER_MILLION).checked_add(BASE).unwrap_or(Msat::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiny_and_large_amounts() {
        let limit = |msat| default_max_fee(Msat::new(msat).expect("below the supply")).to_msat();
        assert_eq!(limit(1), 5_001);
        assert_eq!(limit(1_000_000), 15_000);
        assert_eq!(limit(Msat::MAX.to_msat()), Msat::MAX.to_msat() / 100 + 5_000);
    }
}
