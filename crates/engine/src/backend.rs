//! The door to whatever speaks Lightning: commands go out, events come in.
//!
//! A [`Backend`] is driven by one thread, in steps: [`Backend::poll`] until nothing comes,
//! commands for what the engine decided, then [`Backend::seal`]; the sealed batch and the
//! engine's rows are one commit, after which [`Backend::committed`] lets out what waited for
//! it. Nothing here waits for the disk.

mod invoice;
mod offer;
mod receive;
mod send;

pub use invoice::ReadInvoice;
pub use offer::{InvoiceRequest, OfferInvoice, Payable, Quantities, ReadOffer};
pub use receive::{
    AmpInvoiceRequest, AmpShard, Claimable, Claimed, ClaimedPart, FailAs, InvoiceTerms, Kinds, MadeInvoice,
    Purpose, ReceiveFailed,
};
pub use send::{
    BlindedWays, Destination, NoRoutes, Payload, Query, Route, RouteHint, RouteHop, RouteRequest, Routes,
    Send, SendFailed, SessionKey, Tail,
};

use crate::commit::KvBatch;
use sponte_proto::{BlockHeight, ChannelId, Msat, NodeId, PaymentHash, PaymentId, Preimage, Sat, Txid};

/// What the engine wants done. Given in the step that decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Look for routes. Answered by [`BackendEvent::Routes`], in the order of the questions.
    Route(Box<RouteRequest>),
    /// Send an HTLC. Ends in [`BackendEvent::PartSent`] or [`BackendEvent::PartFailed`].
    Send(Box<Send>),
    /// Claim all HTLCs of a [`Claimable`]. Ends in [`BackendEvent::Claimed`] or [`BackendEvent::ReceiveFailed`].
    Claim(PaymentHash, Preimage),
    /// Fail all HTLCs that wait under a hash. Ends in [`BackendEvent::ReceiveFailed`]; nothing
    /// happens to those that are being claimed.
    Fail(PaymentHash, FailAs),
    /// These kinds are on from now. Given before the start, and again whenever they change.
    Accept(Kinds),
}

/// What a backend saw. Each may repeat, or arrive alone after a crash (law 3), unless it says
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendEvent {
    /// HTLCs to us wait for [`Command::Claim`] or [`Command::Fail`]. Comes once; after a crash
    /// before the commit of its step the sender's node retransmits. A further HTLC under a hash
    /// whose total already waits here, or is being claimed, does not come: the backend fails it
    /// by itself and says so with [`BackendEvent::ReceiveFailed`].
    Claimable(Box<Claimable>),
    /// A [`Claimable`] is claimed: its preimage is durable. Repeats at every start.
    Claimed(Claimed),
    /// HTLCs to us are failed, or going to be.
    ReceiveFailed(ReceiveFailed),
    /// A new tip, after all that the backend itself did at that height.
    Block(BlockHeight),
    /// What came of a [`Command::Route`].
    Routes(Box<Routes>),
    /// The destination has the preimage of an HTLC of ours: it is paid.
    PartSent {
        /// Which.
        part: PaymentId,
        /// The proof.
        preimage: Preimage,
    },
    /// An HTLC of ours is irrevocably gone, unpaid.
    PartFailed(SendFailed),
    /// We earned a fee.
    Forwarded(Forward),
    /// Our funding left the wallet or theirs was signed: the channel counts from now on.
    ChannelPending(ChannelPending),
    /// HTLCs may flow.
    ChannelReady {
        /// Which.
        channel: ChannelId,
        /// With whom.
        peer: NodeId,
    },
    /// The peer of a ready channel is connected again: HTLCs may flow. A hint: payments that
    /// wait for it are tried at once, and without it a little later.
    ChannelUsable(ChannelId),
    /// The channel takes no more HTLCs; what is ours comes back by and by.
    ChannelClosed {
        /// Which.
        channel: ChannelId,
        /// With whom.
        peer: Option<NodeId>,
        /// Why, for people.
        reason: String,
    },
    /// The funding transaction will never confirm: the channel never was.
    ChannelDiscarded(ChannelId),
    /// Nothing of a closed channel is outstanding: what has not come back will not.
    ChannelResolved(ChannelId),
    /// The wallet saw a transaction of ours, or its fate.
    WalletTx(WalletTx),
}

/// A payment that we forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Unique: the incoming HTLC's channel and number.
    pub key: String,
    /// Incoming HTLCs: channel and amount.
    pub incoming: Vec<(ChannelId, Msat)>,
    /// Outgoing HTLCs: channel and amount.
    pub outgoing: Vec<(ChannelId, Msat)>,
}

/// A new channel's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelPending {
    /// Which.
    pub channel: ChannelId,
    /// With whom.
    pub peer: NodeId,
    /// The funding output's value.
    pub value: Sat,
    /// What is ours of it.
    pub ours: Msat,
    /// Whether we paid the funding transaction.
    pub funded_by_us: bool,
}

/// What a wallet transaction does to our accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletTx {
    /// Which.
    pub txid: Txid,
    /// Where it stands.
    pub state: WalletTxState,
    /// What it is.
    pub kind: WalletTxKind,
}

/// Where a wallet transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletTxState {
    /// In the mempool or in a young block.
    Seen,
    /// Buried so deep that it stays, unless it is told to be gone after all.
    Confirmed,
    /// Replaced, or its inputs are spent by another; or it has another effect, which is told next.
    Gone,
}

/// What a wallet transaction is. Amounts are exact: the wallet's own sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletTxKind {
    /// Others pay us.
    Deposit(Sat),
    /// We pay others.
    Withdrawal {
        /// What they get.
        amount: Sat,
        /// What the miner gets.
        fee: Sat,
    },
    /// We fund a channel.
    Funding {
        /// The channel's value.
        value: Sat,
        /// What the miner gets.
        fee: Sat,
    },
    /// Outputs of closed channels come home.
    Sweep {
        /// Channels and what comes from each.
        inputs: Vec<(ChannelId, Sat)>,
        /// What the miner gets of it.
        fee: Sat,
    },
    /// Coins of the wallet pay the fee of a channel's transaction.
    Bump {
        /// What it costs us.
        cost: Sat,
    },
}

/// What survived, told once at start after all buffered events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Its HTLCs from us that have not ended, by [`Send::part`].
    pub parts: Vec<PaymentId>,
    /// Hashes of the HTLCs to us that it holds.
    pub inbound: Vec<PaymentHash>,
    /// The tip.
    pub height: BlockHeight,
}

/// A batch to write, and its number for [`Backend::committed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Rising.
    pub number: u64,
    /// The backend's own state.
    pub kv: KvBatch,
}

/// Called when what was asked for is done, on the thread that drives the backend. The caller
/// makes sure that nobody sees the answer before the commit.
pub type Reply<T> = Box<dyn FnOnce(Result<T, Refusal>) + std::marker::Send>;

/// Why the backend did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Whose fault.
    pub kind: RefusalKind,
    /// One line that says what to do next.
    pub message: String,
}

impl Refusal {
    /// A refusal of a kind.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Refusal {
        Refusal { kind, message: message.into() }
    }
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request makes no sense, whatever the state.
    Invalid,
    /// No such channel or peer.
    NotFound,
    /// The state does not allow it now: too little money, not connected.
    Conflict,
    /// Somebody else did not answer or refused.
    Unavailable,
}

/// What a person asks of the node itself. None of it is a payment.
pub enum Admin {
    /// Connect, and stay connected.
    Connect(NodeId, String, Reply<()>),
    /// Disconnect, and stay so.
    Disconnect(NodeId, Reply<()>),
    /// Open a channel; answered once its funding transaction is on its way.
    OpenChannel(OpenChannel, Reply<ChannelOpened>),
    /// Close a channel; answered once the closing has begun.
    CloseChannel {
        /// Which.
        channel: ChannelId,
        /// Without the peer's help.
        force: bool,
        /// The answer.
        reply: Reply<()>,
    },
    /// A new address of the wallet.
    Address(Reply<String>),
    /// Send coins.
    SendCoins(SendCoins, Reply<CoinsSent>),
    /// The node as it stands.
    Info(Reply<NodeInfo>),
    /// All channels, closing ones too.
    Channels(Reply<Vec<Channel>>),
    /// All peers that we know an address of, or that are connected.
    Peers(Reply<Vec<Peer>>),
    /// The wallet's coins.
    Balance(Reply<WalletBalance>),
    /// Make an invoice that is paid once; nothing is kept of it.
    Invoice(InvoiceTerms, Reply<MadeInvoice>),
    /// Sign an AMP invoice; nothing is kept of it. Answers the invoice's text.
    AmpInvoice(AmpInvoiceRequest, Reply<String>),
    /// Read an invoice or an offer that somebody gave: its text, whatever stands in it.
    ReadPayable(String, Reply<Payable>),
    /// Ask the issuer of an offer for an invoice. [`RefusalKind::Unavailable`] if it cannot be asked, or
    /// does not answer in time; [`RefusalKind::Conflict`] if it gives none, or a wrong one.
    FetchInvoice(Box<InvoiceRequest>, Reply<Box<OfferInvoice>>),
}

/// A channel to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenChannel {
    /// With whom.
    pub peer: NodeId,
    /// Its address, if it is not connected yet.
    pub address: Option<String>,
    /// The channel's value.
    pub value: Sat,
    /// What the peer gets of it as a gift.
    pub push: Msat,
    /// Whether the network learns of it.
    pub announce: bool,
}

/// A channel on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelOpened {
    /// Its id.
    pub channel: ChannelId,
    /// The funding transaction.
    pub funding: Txid,
}

/// Coins to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendCoins {
    /// To whom.
    pub address: String,
    /// How much; `None` for all that may leave.
    pub amount: Option<Sat>,
    /// Instead of the estimate, in satoshi per 1,000 virtual bytes.
    pub fee_per_kvb: Option<Sat>,
}

/// Coins on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoinsSent {
    /// The transaction.
    pub txid: Txid,
    /// What arrives.
    pub amount: Sat,
    /// What the miner gets.
    pub fee: Sat,
}

/// The node as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its public key.
    pub id: NodeId,
    /// Its alias in announcements.
    pub alias: String,
    /// `regtest`, `signet`, `testnet4` or `mainnet`.
    pub network: String,
    /// Its tip.
    pub height: BlockHeight,
    /// The tip's hash, as the chain shows it.
    pub block_hash: String,
    /// Seconds since the chain source last answered; `None` while it does.
    pub chain_silent_seconds: Option<u64>,
    /// What the chain source said last, if it was an error.
    pub chain_error: Option<String>,
    /// Seconds since the tip's time.
    pub tip_age_seconds: u64,
    /// Where it listens for peers.
    pub listening: Option<String>,
    /// Connected peers.
    pub peers: u32,
    /// Nodes of the public graph.
    pub graph_nodes: u32,
    /// Channels of the public graph that are known in both directions, and so can be routed through.
    pub graph_channels: u32,
    /// The wallet.
    pub balance: WalletBalance,
    /// Usable channels, and all that are not closed.
    pub channels_usable: u32,
    /// All channels that are not closed.
    pub channels: u32,
    /// What all usable channels can send together.
    pub sendable: Msat,
    /// The most that one of them can send, and so one part.
    pub sendable_in_one_part: Msat,
    /// What they can receive together.
    pub receivable: Msat,
}

/// The wallet's coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalletBalance {
    /// In blocks.
    pub confirmed: Sat,
    /// Not in a block yet.
    pub unconfirmed: Sat,
    /// Of coinbases that are too young.
    pub immature: Sat,
    /// Kept back for the fees of anchor channels.
    pub reserve: Sat,
    /// What may be sent or put into channels.
    pub spendable: Sat,
}

/// A channel as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// With whom.
    pub peer: NodeId,
    /// Where it stands.
    pub state: ChannelState,
    /// `1234x5x0`, once confirmed.
    pub short_channel_id: Option<u64>,
    /// The funding transaction and output.
    pub funding: Option<(Txid, u32)>,
    /// The funding output's value.
    pub value: Sat,
    /// Ours, to the msat; `None` while HTLCs are pending, and once it is closing.
    pub balance: Option<Msat>,
    /// What can be sent now.
    pub sendable: Msat,
    /// What can be received now.
    pub receivable: Msat,
    /// HTLCs pending in it.
    pub htlcs: u32,
    /// Whether the network learns of it.
    pub announced: bool,
    /// Whether we opened it.
    pub outbound: bool,
    /// Confirmations of the funding, and how many are needed.
    pub confirmations: Option<(u32, u32)>,
    /// What is waited for, for people.
    pub waiting_for: Option<String>,
    /// Of a closing one: transactions that matter.
    pub closing_txids: Vec<Txid>,
    /// Of a closing one: what is still to come back.
    pub to_come: Sat,
}

/// Where a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    /// Its funding awaits confirmations.
    Pending,
    /// HTLCs flow.
    Usable,
    /// Ready, but the peer is not connected.
    Offline,
    /// Negotiating a cooperative close.
    ShuttingDown,
    /// Closed; outputs are awaited.
    Closing,
    /// Closed, and everything came back.
    Closed,
}

/// A peer as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its public key.
    pub id: NodeId,
    /// Where it is.
    pub address: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether we connected to it.
    pub outbound: bool,
    /// Channels with it.
    pub channels: u32,
}

/// Something that speaks Lightning. Lives on one thread.
pub trait Backend {
    /// Work that is due, and what came of it. An empty answer means that nothing is left to do
    /// in this step.
    fn poll(&mut self) -> Vec<BackendEvent>;

    /// Does what the engine decided; answers come from the next [`Backend::poll`].
    fn execute(&mut self, command: Command);

    /// What a person asked for.
    fn admin(&mut self, request: Admin);

    /// What survived; called once, after the first polls and before anything is sent.
    ///
    /// # Errors
    /// What it depends on refuses for good; the node does not start.
    fn recovered(&mut self) -> Result<Recovered, Refusal>;

    /// Ends the step: what must be durable with it, if anything. After it, what was done in the
    /// step may not leave before [`Backend::committed`] of its number.
    fn seal(&mut self) -> Option<Sealed>;

    /// A sealed batch and all before it are durable.
    fn committed(&mut self, number: u64);

    /// The first commit after the start is durable: listen, connect, send.
    fn start(&mut self);

    /// Stop talking to peers. Polls, seals and commits follow until nothing is left.
    fn stop(&mut self);
}
