//! bitcoind and the private chain side by side.

use super::coin::{self, Coin};
use super::compare::difference;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Amount, FeeRate, Transaction};
use serde_json::{Value, json};
use sponte_chain::{Policy, RunningServer, Server, ServerConfig};
use sponte_peers::{Bitcoind, Rpc, RpcError};
use sponte_testkit::Chain;
use std::collections::BTreeMap;

/// The rules of the mempool that the private chain has: not those of Bitcoin Knots where it is of its
/// own mind, and a relay fee of 1 sat/vB.
const AS_OURS: [&str; 3] = ["-corepolicy", "-minrelaytxfee=0.00001", "-incrementalrelayfee=0.00001"];
const COINS: usize = 60;
const COIN_SAT: u64 = 1_000_000;

/// Answers, bitcoind's first.
pub struct Answers(pub [Result<Value, RpcError>; 2]);

impl Answers {
    /// Both, if neither refuses.
    pub fn results(self, what: &str) -> [Value; 2] {
        self.0.map(|answer| answer.unwrap_or_else(|error| panic!("{what}: {error}")))
    }
}

/// One of the two, and what the calls so far were about.
pub struct Side {
    pub rpc: Rpc,
    names: BTreeMap<String, String>,
    coins: Vec<Coin>,
}

/// Two chains of the same history.
pub struct Both {
    sides: [Side; 2],
    bitcoind: Chain,
    private: RunningServer,
    asked: usize,
    differences: Vec<String>,
}

impl Side {
    fn new(rpc: Rpc) -> Side {
        Side { rpc, names: BTreeMap::new(), coins: vec![] }
    }

    /// A confirmed coin that nothing has spent.
    pub fn coin(&mut self) -> Coin {
        self.coins.pop().expect("there are enough coins")
    }

    /// What was called so.
    pub fn named(&self, name: &str) -> &str {
        self.names.get(name).unwrap_or_else(|| panic!("nothing is called {name}"))
    }

    /// The transaction that was called so.
    pub fn transaction(&self, name: &str) -> Transaction {
        deserialize_hex(self.named(name)).expect("a transaction")
    }

    /// Gives something a name for parameters: `$name` stands for it.
    pub fn name(&mut self, name: &str, value: impl Into<String>) {
        self.names.insert(name.into(), value.into());
    }

    /// Calls a transaction `name`, and its id `name.id`.
    pub fn name_transaction(&mut self, name: &str, tx: &Transaction) {
        self.name(name, serialize_hex(tx));
        self.name(&format!("{name}.id"), tx.compute_txid().to_string());
    }

    fn filled_in(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => json!(self.named(name)),
                None => value.clone(),
            },
            Value::Array(values) => values.iter().map(|value| self.filled_in(value)).collect(),
            Value::Object(fields) => Value::Object(
                fields.iter().map(|(name, value)| (name.clone(), self.filled_in(value))).collect(),
            ),
            other => other.clone(),
        }
    }
}

impl Both {
    /// 120 blocks, one that splits a coin, and one on top of it.
    pub async fn start() -> Both {
        let policy = Policy { estimated_fee: None, ..Policy::default() };
        let config = ServerConfig { policy, ..ServerConfig::default() };
        let private = Server::start(config).await.expect("loopback has a free port");
        let bitcoind = Chain::of(Bitcoind::start_with(&AS_OURS).await).await;
        let theirs = bitcoind.bitcoind().expect("it is one").rpc().clone();
        let ours = Rpc::new(&private.url(), private.user(), private.password());
        let sides = [Side::new(theirs), Side::new(ours)];
        let mut both = Both { sides, bitcoind, private, asked: 0, differences: vec![] };
        both.give_coins().await;
        both.mine(1).await;
        both
    }

    async fn give_coins(&mut self) {
        let amount = Amount::from_btc(1.0).expect("an amount");
        let sent = [
            self.bitcoind.send(&coin::address(), amount).await,
            self.private.chain().send(&coin::address(), amount).expect("the faucet has enough"),
        ];
        for (side, txid) in self.sides.iter_mut().zip(sent) {
            let hex = side.rpc.call("getrawtransaction", json!([txid])).await.expect("it waits");
            let tx: Transaction = deserialize_hex(hex.as_str().expect("hex")).expect("a transaction");
            let split = coin::spend(&[Coin::of(&tx, 0)], vec![coin::output(COIN_SAT); COINS]);
            side.coins = (0..COINS).map(|vout| Coin::of(&split, vout as u32)).collect();
            side.name_transaction("split", &split);
        }
        self.mine(1).await;
        let fee_above_the_usual = json!(["$split", 0]);
        self.ask("sendrawtransaction", fee_above_the_usual).await;
        self.mine(1).await;
    }

    /// Each side by itself.
    pub fn each(&mut self, mut act: impl FnMut(&mut Side)) {
        self.sides.iter_mut().for_each(&mut act);
    }

    /// Both.
    pub fn sides(&self) -> &[Side; 2] {
        &self.sides
    }

    /// Mines blocks to whom nobody looks for; `tip` is the last one.
    pub async fn mine(&mut self, blocks: u32) {
        let answers = self.ask("generatetoaddress", json!([blocks, coin::address().to_string()])).await;
        for (side, hashes) in self.sides.iter_mut().zip(answers.results("mining")) {
            let last = hashes.as_array().and_then(|hashes| hashes.last()).expect("a block");
            side.name("tip", last.as_str().expect("a hash"));
        }
    }

    /// Makes both estimate this feerate.
    pub async fn estimate(&mut self, rate: FeeRate) {
        self.bitcoind.estimate_fee(rate).await;
        self.private.chain().lock().chain_mut().set_estimated_fee(Some(rate));
    }

    /// Asks both, and remembers how the answers differ.
    pub async fn ask(&mut self, method: &str, params: Value) -> Answers {
        self.ask_but(method, params, &[]).await
    }

    /// As [`Both::ask`], but these fields may have other values.
    pub async fn ask_but(&mut self, method: &str, params: Value, varying: &[&str]) -> Answers {
        let [theirs, ours] = &self.sides;
        let answers = Answers([
            theirs.rpc.call(method, theirs.filled_in(&params)).await,
            ours.rpc.call(method, ours.filled_in(&params)).await,
        ]);
        self.compared(&format!("{method} {params}"), &answers, varying);
        answers
    }

    /// Sends a transaction of each side to it, and calls it `name`.
    pub async fn send(&mut self, name: &str, make: impl Fn(&mut Side) -> Transaction) -> Answers {
        for side in &mut self.sides {
            let tx = make(side);
            side.name_transaction(name, &tx);
        }
        self.ask("sendrawtransaction", json!([format!("${name}")])).await
    }

    /// As [`Both::send`], of one that both take.
    pub async fn sent(&mut self, name: &str, make: impl Fn(&mut Side) -> Transaction) {
        self.send(name, make).await.results(name);
    }

    /// As [`Both::send`], of one that both refuse with this code.
    pub async fn refused(&mut self, name: &str, code: i64, make: impl Fn(&mut Side) -> Transaction) {
        let answers = self.send(name, make).await;
        for (answer, side) in answers.0.iter().zip(["bitcoind", "ours"]) {
            let right = matches!(answer, Err(RpcError::Refused { code: given, .. }) if *given == code);
            if !right {
                self.differences.push(format!("{name}: {side} does not refuse with {code}: {answer:?}"));
            }
        }
    }

    /// Remembers how two answers differ.
    pub fn compared(&mut self, call: &str, answers: &Answers, varying: &[&str]) {
        self.asked += 1;
        if let Some(difference) = difference(&answers.0[0], &answers.0[1], varying) {
            self.differences.push(format!("{call}\n    {difference}"));
        }
    }

    /// # Panics
    /// Some answers differed: which, and how.
    pub fn assert_same(&self) {
        let (all, many) = (self.asked, self.differences.len());
        assert!(many == 0, "{many} of {all} answers differ:\n{}", self.differences.join("\n"));
    }
}
