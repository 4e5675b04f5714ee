use super::*;
use crate::htlcs::Htlcs;
use crate::sent::SentHtlcs;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use lightning::routing::gossip::NodeId;
use lightning::sign::KeysManager;
use lightning::types::payment::PaymentHash;
use lightning::util::ser::{LengthReadable, Writeable};
use sponte_engine::backend::Kinds;
use std::sync::OnceLock;

/// Writes down what reaches it, by method and encoded; gives out what it was told to.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<(&'static str, Vec<u8>)>>,
    out: Mutex<Vec<MessageSendEvent>>,
    /// Called within each message.
    within: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Recorder {
    fn record(&self, method: &'static str, msg: &impl Writeable) {
        self.seen.lock().expect("unpoisoned").push((method, msg.encode()));
        if let Some(within) = self.within.get() {
            within();
        }
    }
}

impl BaseMessageHandler for Recorder {
    fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
        std::mem::take(&mut *self.out.lock().expect("unpoisoned"))
    }
    fn peer_disconnected(&self, _: PublicKey) {}
    fn provided_node_features(&self) -> NodeFeatures {
        NodeFeatures::empty()
    }
    fn provided_init_features(&self, _: PublicKey) -> InitFeatures {
        InitFeatures::empty()
    }
    fn peer_connected(&self, _: PublicKey, _: &Init, _: bool) -> Result<(), ()> {
        Ok(())
    }
}

macro_rules! recorded {
    ($($method:ident($message:ty)),+ $(,)?) => {
        $(fn $method(&self, _: PublicKey, msg: $message) {
            self.record(stringify!($method), &msg);
        })+
    };
}

impl ChannelMessageHandler for Recorder {
    recorded! {
        handle_open_channel(&OpenChannel), handle_open_channel_v2(&OpenChannelV2),
        handle_accept_channel(&AcceptChannel), handle_accept_channel_v2(&AcceptChannelV2),
        handle_funding_created(&FundingCreated), handle_funding_signed(&FundingSigned),
        handle_channel_ready(&ChannelReady), handle_peer_storage(PeerStorage),
        handle_peer_storage_retrieval(PeerStorageRetrieval), handle_shutdown(&Shutdown),
        handle_closing_signed(&ClosingSigned), handle_stfu(&Stfu), handle_splice_init(&SpliceInit),
        handle_splice_ack(&SpliceAck), handle_splice_locked(&SpliceLocked),
        handle_tx_add_input(&TxAddInput), handle_tx_add_output(&TxAddOutput),
        handle_tx_remove_input(&TxRemoveInput), handle_tx_remove_output(&TxRemoveOutput),
        handle_tx_complete(&TxComplete), handle_tx_signatures(&TxSignatures),
        handle_tx_init_rbf(&TxInitRbf), handle_tx_ack_rbf(&TxAckRbf), handle_tx_abort(&TxAbort),
        handle_update_add_htlc(&UpdateAddHTLC), handle_update_fulfill_htlc(UpdateFulfillHTLC),
        handle_update_fail_htlc(&UpdateFailHTLC),
        handle_update_fail_malformed_htlc(&UpdateFailMalformedHTLC),
        handle_commitment_signed(&CommitmentSigned), handle_revoke_and_ack(&RevokeAndACK),
        handle_update_fee(&UpdateFee), handle_announcement_signatures(&AnnouncementSignatures),
        handle_channel_reestablish(&ChannelReestablish), handle_channel_update(&ChannelUpdate),
        handle_error(&ErrorMessage),
    }
    fn handle_commitment_signed_batch(&self, _: PublicKey, id: ChannelId, batch: Vec<CommitmentSigned>) {
        self.record("handle_commitment_signed_batch", &id);
        batch.iter().for_each(|msg| self.record("handle_commitment_signed_batch", msg));
    }
    fn get_chain_hashes(&self) -> Option<Vec<ChainHash>> {
        None
    }
    fn message_received(&self) {}
}

fn peer(n: u8) -> PublicKey {
    let secret = SecretKey::from_slice(&[n; 32]).expect("a valid scalar");
    PublicKey::from_secret_key(&Secp256k1::new(), &secret)
}

fn signature() -> Signature {
    let secret = SecretKey::from_slice(&[9; 32]).expect("a valid scalar");
    Secp256k1::new().sign_ecdsa(&Message::from_digest([8; 32]), &secret)
}

fn funding_signed(channel: u8) -> MessageSendEvent {
    let msg = FundingSigned { channel_id: ChannelId([channel; 32]), signature: signature() };
    MessageSendEvent::SendFundingSigned { node_id: peer(1), msg }
}

fn shutdown(channel: u8) -> MessageSendEvent {
    let msg = Shutdown { channel_id: ChannelId([channel; 32]), ..Shutdown::sample() };
    MessageSendEvent::SendShutdown { node_id: peer(1), msg }
}

fn closing_signed(channel: u8) -> MessageSendEvent {
    let msg = ClosingSigned { channel_id: ChannelId([channel; 32]), ..ClosingSigned::sample() };
    MessageSendEvent::SendClosingSigned { node_id: peer(1), msg }
}

fn handler(out: Vec<MessageSendEvent>) -> Handler<Recorder> {
    let signer = Arc::new(KeysManager::new(&[4; 32], 1, 1, true));
    let interpreter = Interpreter::new([5; 32], signer, Htlcs::default(), SentHtlcs::default());
    interpreter.accept(Kinds { ecdh0: true, ..Kinds::default() });
    interpreter.htlcs.channel_ready(ChannelId([7; 32]), peer(1));
    Handler::new(Arc::new(Recorder { out: Mutex::new(out), ..Recorder::default() }), interpreter)
}

/// A message by its wire layout: a number is so many bytes, no two alike; `p` a point, `s` a
/// signature, `v` three bytes after their length, `=` bytes in hex.
trait Sample: LengthReadable + Writeable {
    const LAYOUT: &str;

    fn sample() -> Self {
        let wire = wire(Self::LAYOUT);
        let read = Self::read_from_fixed_length_buffer(&mut &wire[..]);
        let msg = read.unwrap_or_else(|why| panic!("{}: {why:?}", Self::LAYOUT));
        assert_eq!(msg.encode(), wire, "{}", Self::LAYOUT);
        msg
    }
}

fn wire(layout: &str) -> Vec<u8> {
    let mut bytes = vec![];
    for field in layout.split(' ') {
        match field {
            "p" => bytes.extend(peer(6).serialize()),
            "s" => bytes.extend(signature().serialize_compact()),
            "v" => bytes.extend(b"\0\x03abc"),
            other => match other.strip_prefix('=') {
                Some(hex) => bytes.extend(sponte_proto::unhex(hex).expect("hex")),
                None => (0..other.parse().expect("a number")).for_each(|n: u8| bytes.push(n + 1)),
            },
        }
    }
    bytes
}

macro_rules! layouts {
    ($($message:ty: $layout:literal),+ $(,)?) => {
        $(impl Sample for $message {
            const LAYOUT: &str = $layout;
        })+
    };
}

layouts! {
    OpenChannel: "32 32 8 8 8 8 8 8 4 2 2 p p p p p p 1",
    OpenChannelV2: "32 32 4 4 8 8 8 8 2 2 4 p p p p p p p 1",
    AcceptChannel: "32 8 8 8 8 4 2 2 p p p p p p",
    AcceptChannelV2: "32 8 8 8 8 4 2 2 p p p p p p p",
    FundingCreated: "32 32 2 s",
    FundingSigned: "32 s",
    ChannelReady: "32 p",
    PeerStorage: "v",
    PeerStorageRetrieval: "v",
    Shutdown: "32 v",
    ClosingSigned: "32 8 s",
    Stfu: "32 =01",
    SpliceInit: "32 8 4 4 p",
    SpliceAck: "32 8 p",
    SpliceLocked: "32 32",
    TxAddInput: "32 8 =0000 4 4",
    TxAddOutput: "32 8 8 v",
    TxRemoveInput: "32 8",
    TxRemoveOutput: "32 8",
    TxComplete: "32",
    TxSignatures: "32 32 =0000",
    TxInitRbf: "32 4 4",
    TxAckRbf: "32",
    TxAbort: "32 v",
    UpdateFulfillHTLC: "32 8 32",
    UpdateFailHTLC: "32 8 v",
    UpdateFailMalformedHTLC: "32 8 32 2",
    CommitmentSigned: "32 s =0000",
    RevokeAndACK: "32 32 p",
    UpdateFee: "32 4",
    AnnouncementSignatures: "32 8 s s",
    ChannelReestablish: "32 8 8 32 p",
    ChannelUpdate: "s 32 8 4 =01 1 2 8 4 4 8",
    ChannelAnnouncement: "s s s s =0000 32 8 p p p p",
    NodeAnnouncement: "s =0000 4 p 3 32 =0000",
    ErrorMessage: "32 v",
    QueryChannelRange: "32 4 4",
    GossipTimestampFilter: "32 4 4",
}

/// Hands a message on and looks what came.
macro_rules! passed {
    ($($method:ident(&$message:ty)),+; $($owned:ident($whole:ty)),+ $(,)?) => {
        $(let it = handler(vec![]);
        it.$method(peer(1), &<$message>::sample());
        assert_eq!(seen(&it), [(stringify!($method), wire(<$message>::LAYOUT))]);)+
        $(let it = handler(vec![]);
        it.$owned(peer(1), <$whole>::sample());
        assert_eq!(seen(&it), [(stringify!($owned), wire(<$whole>::LAYOUT))]);)+
    };
}

fn seen(handler: &Handler<Recorder>) -> Vec<(&'static str, Vec<u8>)> {
    std::mem::take(&mut *handler.inner.seen.lock().expect("unpoisoned"))
}

#[test]
fn every_message_reaches_ldk_once_by_its_own_method_byte_for_byte() {
    passed! {
        handle_open_channel(&OpenChannel), handle_open_channel_v2(&OpenChannelV2),
        handle_accept_channel(&AcceptChannel), handle_accept_channel_v2(&AcceptChannelV2),
        handle_funding_created(&FundingCreated), handle_funding_signed(&FundingSigned),
        handle_channel_ready(&ChannelReady), handle_shutdown(&Shutdown),
        handle_closing_signed(&ClosingSigned), handle_stfu(&Stfu), handle_splice_init(&SpliceInit),
        handle_splice_ack(&SpliceAck), handle_splice_locked(&SpliceLocked),
        handle_tx_add_input(&TxAddInput), handle_tx_add_output(&TxAddOutput),
        handle_tx_remove_input(&TxRemoveInput), handle_tx_remove_output(&TxRemoveOutput),
        handle_tx_complete(&TxComplete), handle_tx_signatures(&TxSignatures),
        handle_tx_init_rbf(&TxInitRbf), handle_tx_ack_rbf(&TxAckRbf), handle_tx_abort(&TxAbort),
        handle_update_fail_htlc(&UpdateFailHTLC),
        handle_update_fail_malformed_htlc(&UpdateFailMalformedHTLC),
        handle_commitment_signed(&CommitmentSigned), handle_revoke_and_ack(&RevokeAndACK),
        handle_update_fee(&UpdateFee), handle_announcement_signatures(&AnnouncementSignatures),
        handle_channel_reestablish(&ChannelReestablish), handle_channel_update(&ChannelUpdate),
        handle_error(&ErrorMessage);
        handle_peer_storage(PeerStorage), handle_peer_storage_retrieval(PeerStorageRetrieval),
        handle_update_fulfill_htlc(UpdateFulfillHTLC),
    }
    let handler = handler(vec![]);
    let batch = vec![CommitmentSigned::sample(), CommitmentSigned::sample()];
    handler.handle_commitment_signed_batch(peer(1), ChannelId([7; 32]), batch);
    let expected = [vec![7; 32], wire(CommitmentSigned::LAYOUT), wire(CommitmentSigned::LAYOUT)];
    assert_eq!(seen(&handler), expected.map(|bytes| ("handle_commitment_signed_batch", bytes)));
}

/// One of each kind to one peer, but `funding_signed` and `shutdown`.
fn one_of_each() -> Vec<MessageSendEvent> {
    use MessageSendEvent::*;
    let node_id = peer(1);
    let (node_id_1, node_id_2) = (NodeId::from_pubkey(&peer(1)), NodeId::from_pubkey(&peer(2)));
    macro_rules! sent {
        ($($kind:ident),+ $(,)?) => { vec![$($kind { node_id, msg: Sample::sample() }),+] };
    }
    let mut all = sent![
        SendAcceptChannel,
        SendAcceptChannelV2,
        SendOpenChannel,
        SendOpenChannelV2,
        SendFundingCreated,
        SendStfu,
        SendSpliceInit,
        SendSpliceAck,
        SendSpliceLocked,
        SendTxAddInput,
        SendTxAddOutput,
        SendTxRemoveInput,
        SendTxRemoveOutput,
        SendTxComplete,
        SendTxSignatures,
        SendTxInitRbf,
        SendTxAckRbf,
        SendTxAbort,
        SendChannelReady,
        SendAnnouncementSignatures,
        SendRevokeAndACK,
        SendClosingSigned,
        SendChannelReestablish,
        SendChannelUpdate,
        SendChannelRangeQuery,
        SendGossipTimestampFilter,
        SendPeerStorage,
        SendPeerStorageRetrieval,
    ];
    let updates = CommitmentUpdate {
        update_add_htlcs: vec![],
        update_fulfill_htlcs: vec![UpdateFulfillHTLC::sample()],
        update_fail_htlcs: vec![UpdateFailHTLC::sample()],
        update_fail_malformed_htlcs: vec![UpdateFailMalformedHTLC::sample()],
        update_fee: Some(UpdateFee::sample()),
        commitment_signed: vec![CommitmentSigned::sample()],
    };
    let announcement = ChannelAnnouncement::sample;
    all.extend([
        UpdateHTLCs { node_id, channel_id: ChannelId([7; 32]), updates },
        SendChannelAnnouncement { node_id, msg: announcement(), update_msg: Sample::sample() },
        BroadcastChannelAnnouncement { msg: announcement(), update_msg: Some(Sample::sample()) },
        BroadcastChannelUpdate { msg: Sample::sample(), node_id_1, node_id_2 },
        BroadcastNodeAnnouncement { msg: Sample::sample() },
        HandleError { node_id, action: ErrorAction::SendErrorMessage { msg: Sample::sample() } },
        SendShortIdsQuery {
            node_id,
            msg: QueryShortChannelIds { chain_hash: ChainHash::REGTEST, short_channel_ids: vec![1] },
        },
        SendReplyChannelRange {
            node_id,
            msg: ReplyChannelRange {
                chain_hash: ChainHash::REGTEST,
                first_blocknum: 1,
                number_of_blocks: 2,
                sync_complete: true,
                short_channel_ids: vec![3],
            },
        },
    ]);
    all
}

#[test]
fn everything_but_funding_signed_and_shutdown_leaves_in_order() {
    let mut events = one_of_each();
    let expected = shown(events.clone());
    events.insert(5, funding_signed(1));
    events.insert(5, shutdown(1));
    let handler = handler(events);
    assert_eq!(sent(&handler), expected);
    handler.release_shutdown(ChannelId([1; 32]));
    assert_eq!(sent(&handler), shown(vec![shutdown(1)]));
    handler.first_monitor_durable(ChannelId([1; 32]));
    assert_eq!(sent(&handler), shown(vec![funding_signed(1)]));
}

/// Wire bytes of an `update_add_htlc`: fixed fields, an onion of any bytes, any odd extras.
fn update_add_htlc(onion: &[u8; 1366], extra: &[u8]) -> Vec<u8> {
    let mut bytes = vec![7; 32];
    bytes.extend(5u64.to_be_bytes());
    bytes.extend(1_000u64.to_be_bytes());
    bytes.extend(PaymentHash([6; 32]).0);
    bytes.extend(500u32.to_be_bytes());
    bytes.extend(onion);
    bytes.extend(extra);
    bytes
}

proptest::proptest! {
    #[test]
    fn an_htlc_reaches_ldk_byte_for_byte(seed: u64, blinded: bool) {
        let mut onion = [0; 1366];
        let mut state = seed;
        for byte in &mut onion[1..] {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        // Of a key that is none LDK keeps no bytes, whoever hands the message on.
        onion[1..34].copy_from_slice(&peer(3).serialize());
        let extra = match blinded {
            true => [&[0, 33], &peer(4).serialize()[..]].concat(),
            false => vec![],
        };
        let wire = update_add_htlc(&onion, &extra);
        let msg: UpdateAddHTLC = LengthReadable::read_from_fixed_length_buffer(&mut &wire[..])
            .expect("well-formed");
        let handler = handler(vec![]);
        handler.handle_update_add_htlc(peer(1), &msg);
        let seen = handler.inner.seen.lock().expect("unpoisoned");
        proptest::prop_assert!(*seen == [("handle_update_add_htlc", wire)], "it came changed, or not once");
    }
}

fn shown(events: Vec<MessageSendEvent>) -> Vec<String> {
    events.iter().map(|event| format!("{event:?}")).collect()
}

fn sent(handler: &Handler<Recorder>) -> Vec<String> {
    shown(handler.get_and_clear_pending_msg_events())
}

#[test]
fn funding_signed_waits_for_its_monitor_and_nothing_else_does() {
    let ready = MessageSendEvent::SendChannelReady {
        node_id: peer(1),
        msg: ChannelReady {
            channel_id: ChannelId([3; 32]),
            next_per_commitment_point: peer(5),
            short_channel_id_alias: Some(7),
        },
    };
    let handler = handler(vec![funding_signed(1), ready.clone(), funding_signed(2)]);
    assert_eq!(sent(&handler), shown(vec![ready]));
    assert_eq!(sent(&handler), shown(vec![]));
    handler.first_monitor_durable(ChannelId([2; 32]));
    assert_eq!(sent(&handler), shown(vec![funding_signed(2)]));
    handler.first_monitor_durable(ChannelId([1; 32]));
    assert_eq!(sent(&handler), shown(vec![funding_signed(1)]));
    assert_eq!(sent(&handler), shown(vec![]));
}

#[test]
fn no_channel_is_funded_while_fundings_are_held() {
    let handler = Arc::new(handler(vec![]));
    let holdable = Arc::new(Mutex::new(vec![]));
    let (outer, noted) = (Arc::downgrade(&handler), holdable.clone());
    let note = move || {
        let outer = outer.upgrade().expect("it called");
        let holdable = outer.funding.try_write().is_ok();
        noted.lock().expect("unpoisoned").push((holdable, outer.has_monitor_queued()));
    };
    assert!(handler.inner.within.set(Box::new(note)).is_ok());
    let created = FundingCreated {
        temporary_channel_id: ChannelId([1; 32]),
        funding_txid: bitcoin::hashes::Hash::all_zeros(),
        funding_output_index: 0,
        signature: signature(),
    };
    let signed = FundingSigned { channel_id: ChannelId([1; 32]), signature: signature() };
    assert!(!handler.has_monitor_queued());
    handler.handle_funding_created(peer(1), &created);
    assert!(handler.monitors_leave_queue() && !handler.monitors_leave_queue());
    handler.handle_funding_signed(peer(1), &signed);
    assert!(handler.has_monitor_queued());
    assert_eq!(*holdable.lock().expect("unpoisoned"), [(false, true), (false, true)]);
    drop(handler.hold_fundings());
}

#[test]
fn a_monitor_that_is_durable_first_lets_funding_signed_pass() {
    let handler = handler(vec![funding_signed(1)]);
    handler.first_monitor_durable(ChannelId([1; 32]));
    assert_eq!(sent(&handler), shown(vec![funding_signed(1)]));
}

#[test]
fn a_lost_connection_drops_what_was_held() {
    let handler = handler(vec![funding_signed(1)]);
    assert_eq!(sent(&handler), shown(vec![]));
    handler.peer_disconnected(peer(1));
    handler.first_monitor_durable(ChannelId([1; 32]));
    assert_eq!(sent(&handler), shown(vec![]));
}

#[test]
fn shutdown_waits_and_what_negotiates_the_closing_follows_it() {
    let handler = handler(vec![shutdown(1), shutdown(2), closing_signed(3)]);
    assert_eq!(sent(&handler), shown(vec![closing_signed(3)]));
    let (first, second) = (ChannelId([1; 32]), ChannelId([2; 32]));
    assert_eq!(handler.waiting_shutdowns(), [(peer(1), first), (peer(1), second)]);
    handler.release_shutdown(first);
    assert_eq!(handler.waiting_shutdowns(), [(peer(1), second)]);
    *handler.inner.out.lock().expect("unpoisoned") = vec![closing_signed(1)];
    assert_eq!(sent(&handler), shown(vec![shutdown(1), closing_signed(1)]));
    // Negotiated already: nothing is left to wait for.
    *handler.inner.out.lock().expect("unpoisoned") = vec![shutdown(3), closing_signed(2), closing_signed(1)];
    assert_eq!(sent(&handler), shown(vec![closing_signed(1), shutdown(2), closing_signed(2)]));
    assert_eq!(handler.waiting_shutdowns(), [(peer(1), ChannelId([3; 32]))]);
}

#[test]
fn a_shutdown_ends_with_its_connection_or_its_channel() {
    let handler = handler(vec![shutdown(1)]);
    assert_eq!(sent(&handler), shown(vec![]));
    handler.peer_disconnected(peer(2));
    assert_eq!(handler.waiting_shutdowns().len(), 1);
    handler.peer_disconnected(peer(1));
    assert_eq!(handler.waiting_shutdowns(), []);
    *handler.inner.out.lock().expect("unpoisoned") = vec![shutdown(1), shutdown(2)];
    assert_eq!(sent(&handler), shown(vec![]));
    handler.forget(ChannelId([1; 32]));
    assert_eq!(handler.waiting_shutdowns(), [(peer(1), ChannelId([2; 32]))]);
}
