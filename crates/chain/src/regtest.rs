//! A chain with money in it: what the server serves and what tests hold in their hands.

use bitcoin::secp256k1::SecretKey;
use bitcoin::{Address, Amount, BlockHash, FeeRate, ScriptBuf, Txid};

use crate::chain::Chain;
use crate::faucet::{Faucet, FaucetError};
use crate::policy::Policy;
use crate::reject::BlockRejected;
use crate::time::UnixTime;

/// The blocks mined to the faucet at the start: the next block may then spend the first 21
/// coins, 50 BTC each.
pub const DEFAULT_PREMINE_BLOCKS: u32 = 120;

/// What the faucet pays if no feerate is estimated.
const FALLBACK_FEE: FeeRate = FeeRate::from_sat_per_vb_u32(1);

/// The faucet's secret key. It guards regtest money, which is worth nothing, and being fixed
/// makes runs alike.
const FAUCET_SECRET: [u8; 32] = [0x5f; 32];

/// A [`Chain`] together with a faucet that mined its first blocks.
#[derive(Debug)]
pub struct Regtest {
    chain: Chain,
    faucet: Faucet,
}

impl Regtest {
    /// A new chain whose first `premine_blocks` blocks pay the faucet. A coin can be spent
    /// in the 100th block after its own, so 120 blocks make 21 coins that can be sent at once.
    ///
    /// # Errors
    /// As [`Chain::mine`]: so many blocks that their times run two hours ahead of `now`.
    pub fn new(policy: Policy, premine_blocks: u32, now: UnixTime) -> Result<Self, BlockRejected> {
        let secret =
            SecretKey::from_slice(&FAUCET_SECRET).expect("the constant is below the order of the curve");
        let mut regtest = Self { chain: Chain::new(policy), faucet: Faucet::new(secret) };
        regtest.mine_to_faucet(premine_blocks, now)?;
        Ok(regtest)
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The chain, to change it.
    pub fn chain_mut(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// Mines `count` blocks to the faucet.
    ///
    /// # Errors
    /// As [`Chain::mine`].
    pub fn mine_to_faucet(&mut self, count: u32, now: UnixTime) -> Result<Vec<BlockHash>, BlockRejected> {
        let script = self.faucet.script().clone();
        self.chain.mine(count, &script, now)
    }

    /// Where to send what should return to the faucet.
    pub fn faucet_address(&self) -> Address {
        self.faucet.address()
    }

    /// What the faucet could send now.
    pub fn faucet_balance(&self) -> Amount {
        self.faucet.balance(&self.chain)
    }

    /// Sends from the faucet, at the given feerate or the estimated one. The transaction waits
    /// in the mempool.
    ///
    /// # Errors
    /// [`FaucetError`] if the faucet's mature coins do not reach, or relay refuses the output.
    pub fn send(
        &mut self,
        script: ScriptBuf,
        amount: Amount,
        rate: Option<FeeRate>,
        now: UnixTime,
    ) -> Result<Txid, FaucetError> {
        let floor = self.chain.policy().min_relay_fee;
        let rate = rate.or(self.chain.policy().estimated_fee).unwrap_or(FALLBACK_FEE).max(floor);
        self.faucet.send(&mut self.chain, script, amount, rate, now)
    }
}
