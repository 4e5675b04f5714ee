//! Writes `seeds/`, what the fuzzer starts from, out of the vectors of sponte-proto:
//! `cargo run --example seeds`, in this directory.

use serde_json::Value;
use sponte_fuzz::htlc::{COMPOSED, CONTENT, DAMAGED, FORWARD, PACKET, PAYLOAD, WITHIN_PATH, receiver};
use sponte_fuzz::{PAYMENT_HASH, key, secp};
use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets};
use sponte_proto::{Features, hex, read_bigsize, unhex};
use std::fs;
use std::path::Path;

fn main() {
    numbers();
    records();
    amp();
    kinds();
    onions();
    returning();
    payloads();
    translated();
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> Value {
    let path = root().join(format!("../crates/proto/vectors/{name}.json"));
    serde_json::from_slice(&fs::read(path).expect("the crate's vectors")).expect("JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().expect("a string")).expect("hex")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

/// Names a seed by its place, so that a changed vector replaces its file.
fn seeds(target: &str, all: impl IntoIterator<Item = Vec<u8>>) {
    let directory = root().join("seeds").join(target);
    fs::create_dir_all(&directory).expect("the directory is ours");
    for (number, seed) in all.into_iter().enumerate() {
        fs::write(directory.join(format!("{number:02}")), seed).expect("the directory is ours");
    }
}

fn numbers() {
    let bigsizes = ["00", "fc", "fd00fd", "fdffff", "fe00010000", "feffffffff", "ff0000000100000000"];
    seeds("bigsize", bigsizes.map(|text| unhex(text).expect("hex")));
    let amp = file("amp");
    seeds("truncated", list(&amp["child_index_truncation"]).iter().map(|case| bytes(&case["value_suffix"])));
    let texts =
        ["50sat", "50000msat", "0.5btc", "1700000000000ms", "800144", "572330x7x1105", &hex(&[2; 33])];
    seeds("texts", texts.map(|text| text.as_bytes().to_vec()));
    let features: Features = list(&amp["amp_invoices"][0]["features"])
        .iter()
        .map(|bit| bit.as_u64().expect("a bit") as u16)
        .collect();
    seeds("features", [features.encode()]);
    let room = [1300u32, 51, 20, 20].map(u32::to_be_bytes).concat();
    seeds("text_room", [room, [46u32, 7].map(u32::to_be_bytes).concat()]);
}

fn records() {
    let (keysend, messages) = (file("keysend"), file("messaging"));
    let whatsat = bytes(&messages["whatsat"]["records_tlv_stream"]);
    let juggernaut = sponte_proto::Records::from_received(
        list(&messages["juggernaut"]["records"])
            .iter()
            .map(|pair| (pair[0].as_u64().expect("a type"), bytes(&pair[1]))),
    );
    seeds("records", [bytes(&keysend["record"]), whatsat.clone()]);
    seeds("message", [whatsat, juggernaut.encode()]);
    seeds("keysend", [[bytes(&keysend["payment_hash"]), bytes(&keysend["preimage"])].concat()]);
}

fn amp() {
    let amp = file("amp");
    let three = &list(&amp["vectors"])[1];
    let children = list(&three["children"]);
    seeds("payment_data", children.iter().take(1).map(|child| bytes(&child["tlv8_value"])));
    seeds("amp_record", children.iter().map(|child| bytes(&child["tlv14_value"])));

    let number = |value: &Value| value.as_u64().expect("a number");
    let mut shards = number(&three["total_msat"]).to_be_bytes().to_vec();
    for child in children {
        shards.extend([bytes(&child["share"]), bytes(&child["payment_hash"])].concat());
        shards.extend((number(&child["child_index"]) as u32).to_be_bytes());
        shards.extend(number(&child["amt_to_forward"]).to_be_bytes());
    }
    seeds("amp_reconstruct", [shards]);

    let mut set = bytes(&three["root"]);
    for step in list(&three["split_trace"]).iter().filter(|step| !step["random_left"].is_null()) {
        set.extend(bytes(&step["random_left"]));
        set.push(1);
    }
    let missing = [&set[..], &[0; 32], &[0xff, 1, 2, 0]].concat();
    seeds("amp_set", [set, missing]);
}

fn kinds() {
    let ecdh = file("ecdh_spontaneous");
    let hop = &list(&ecdh["per_hop_as_final"])[0];
    seeds("ecdh", [[bytes(&hop["shared_secret"]), bytes(&hop["v1_payment_hash"]), vec![1]].concat()]);
    let device = file("ecdh_offline");
    let invoices = list(&device["v1"]).iter();
    seeds(
        "device1",
        invoices.map(|invoice| [bytes(&invoice["scid_bytes"]), bytes(&invoice["payment_secret"])].concat()),
    );
}

/// The content of a final hop's packet in the clear: payload, no next HMAC, filling.
fn content(payload: &[u8]) -> Vec<u8> {
    let mut content = [payload, &[0; 32]].concat();
    content.resize(200, 7);
    content
}

fn onions() {
    let (bolt, keysend) = (file("sphinx_bolt4"), file("keysend"));
    let final_payload = bytes(&list(&keysend["final_payloads"])[0]["payload"]);
    let packet = bytes(&list(&bolt["hops"])[1]["packet_in"]);
    seeds("peel", [packet.clone(), content(&final_payload)]);
    let length = (final_payload.len() as u16).to_be_bytes();
    let resealed = |content: &[u8]| [&length[..], &final_payload, content].concat();
    seeds("reseal", [resealed(&packet), resealed(&content(&final_payload))]);
}

fn returning() {
    let (errors, success) = (file("onion_errors"), file("fulfillment_payload"));
    let (simple, attributed) = (&errors["simple"], &errors["attribution"]);
    let messages = [bytes(&simple["failuremsg"]), bytes(&attributed["failuremsg"])];
    let framed = |message: &Vec<u8>| {
        let padding = 256usize.saturating_sub(message.len());
        let (length, padded) = (message.len() as u16, padding as u16);
        [&length.to_be_bytes()[..], message, &padded.to_be_bytes(), &vec![0; padding]].concat()
    };
    let packet = bytes(&simple["final_packet_seen_by_origin"]);
    seeds("failure_packet", messages.iter().map(framed).chain([packet]));
    let others = ["c005", "400f", "1007", "100b", "4016", "0012", "201a"];
    let others = others.map(|code| [unhex(code).expect("hex"), vec![0; 32]].concat());
    seeds("failure", messages.into_iter().chain(others));
    seeds("attribution", [bytes(&list(&attributed["failed"])[0]["attribution_data"])]);
    seeds(
        "fulfillment",
        [bytes(&success["plaintext"]), bytes(&list(&success["steps"])[0]["fulfillment_payload"])],
    );
}

fn payloads() {
    let (keysend, amp, blinded) = (file("keysend"), file("amp"), file("blinded_payment_onion"));
    let shard = &list(&list(&amp["vectors"])[1]["children"])[1];
    let all = list(&keysend["final_payloads"]).iter().map(|case| &case["payload"]);
    let all = all.chain(list(&keysend["onion"]["payloads"])).chain([&shard["final_payload_with_length"]]);
    let all = all.chain(list(&blinded["hops"]).iter().map(|hop| &hop["payload"]));
    seeds("payload", all.map(without_length));
    let route = file("route_blinding");
    let hops = list(&route["hops"]).iter();
    seeds("recipient_data", hops.map(|hop| bytes(&hop["encoded_tlvs"])));
}

/// HTLCs with all kinds on.
fn translated() {
    let (amount, expiry) = ((1u64 << 40).to_be_bytes(), 900_000u32.to_be_bytes());
    let offer = |form: u8, lock: u8, onion: &[u8]| {
        [&[0x3f, form, lock], &amount[..], &expiry, &PAYMENT_HASH, onion].concat()
    };
    let (amp, keysend) = (file("amp"), file("keysend"));
    let shards = list(&list(&amp["vectors"])[1]["children"]).iter();
    let shards: Vec<&Value> = shards.map(|child| &child["final_payload_with_length"]).collect();
    let keysends = list(&keysend["final_payloads"]).iter().map(|case| &case["payload"]);
    let payloads = shards.iter().copied().chain(keysends).map(without_length);
    let mut all: Vec<Vec<u8>> = payloads.map(|payload| offer(PAYLOAD, 0, &payload)).collect();

    let shard = without_length(shards[1]);
    all.push(offer(CONTENT, 0, &content(&bytes(shards[1]))));
    for addition in [WITHIN_PATH, DAMAGED, FORWARD] {
        all.push(offer(PAYLOAD | addition, 0, &shard));
    }
    let node = receiver().get_node_secret_key().public_key(secp());
    let payer = RouteSecrets::new(secp(), &key(0x41), &[node]).expect("one hop");
    let packet = payer.build(&[shard], &PAYMENT_HASH, PAYMENT_PAYLOADS).expect("it fits");
    all.push(offer(PACKET, 0, packet.as_bytes()));

    let composed = |records: u8, lock: u8, values: &[u8]| {
        offer(COMPOSED, lock, &[&[records], &50_000u64.to_be_bytes()[..], &expiry, values].concat())
    };
    let total = 150_000u64.to_be_bytes();
    let shard = [&[9; 32], &total[..], &[1; 32], &[2; 32], &[0, 0, 0, 3]].concat();
    let record = |length: u16| [&70_001u64.to_be_bytes()[..], &length.to_be_bytes()].concat();
    all.push(composed(0b10_0011, 0, &[&shard[..], &record(5)].concat()));
    all.push(composed(0b10_0011, 0, &[&shard[..], &record(1_100)].concat()));
    all.push(composed(0b00_0000, 1, &[]));
    all.push(composed(0b00_1000, 2, &[1]));
    all.push(composed(0b10_1000, 2, &[&[1], &record(1_240)[..]].concat()));
    seeds("translate", all);
}

fn without_length(value: &Value) -> Vec<u8> {
    let bytes = bytes(value);
    let mut rest = &bytes[..];
    let length = read_bigsize(&mut rest).expect("a length");
    assert_eq!(length, rest.len() as u64);
    rest.to_vec()
}
