//! All that a node has heard of announced channels, told once more.
//!
//! LDK drops an update that comes before its channel's announcement, and relays what it hears
//! once: in a network that is made within a second, somebody always misses something.

use crate::parts::Graph;
use lightning::ln::msgs::{ChannelUpdate, MessageSendEvent};

/// Announcements of channels with both updates, and of nodes, as messages to everybody.
pub fn all_of(graph: &Graph) -> Vec<MessageSendEvent> {
    let graph = graph.read_only();
    let mut events = vec![];
    for (_, channel) in graph.channels().unordered_iter() {
        let Some(msg) = channel.announcement_message.clone() else { continue };
        let (node_id_1, node_id_2) = (channel.node_one, channel.node_two);
        events.push(MessageSendEvent::BroadcastChannelAnnouncement { msg, update_msg: None });
        let updates = [&channel.one_to_two, &channel.two_to_one].into_iter().flatten();
        let messages = updates.filter_map(|update| update.last_update_message.clone());
        let told =
            |msg: ChannelUpdate| MessageSendEvent::BroadcastChannelUpdate { msg, node_id_1, node_id_2 };
        events.extend(messages.map(told));
    }
    for (_, node) in graph.nodes().unordered_iter() {
        let announced = node.announcement_info.as_ref().and_then(|info| info.announcement_message());
        events.extend(announced.map(|msg| MessageSendEvent::BroadcastNodeAnnouncement { msg: msg.clone() }));
    }
    events
}
