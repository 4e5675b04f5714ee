//! `sponte demo --serve`: how to talk to what runs.

use super::chain::{Access, NOBODY};
use super::until::failed;
use super::world::World;
use crate::data_dir::{self, quoted};
use crate::failure::Failure;
use std::time::Duration;

/// How often is looked whether everybody still runs.
const GLANCE: Duration = Duration::from_millis(250);

/// Commands to copy, for each node and for the chain.
///
/// # Errors
/// A node's address cannot be read.
pub fn words(world: &mut World) -> Result<String, Failure> {
    let program = quoted(world.program());
    let inhabitants = world.inhabitants();
    let carol = inhabitants.carol.id();
    let mut text = String::from("It goes on running; Ctrl-C ends it and removes everything.\n");
    for node in inhabitants.nodes() {
        let (name, id, dir) = (node.name, node.id(), quoted(node.dir.path()));
        let api = data_dir::read(&node.dir.api_address())?;
        let api = api.ok_or_else(|| failed(format!("{name} does not say where its API is")))?;
        text.push_str(&format!(
            "\n{name}: {id}@{}\n  {program} info --dir {dir}\n  {program} channel list --dir {dir}\n  \
             {program} payments list --dir {dir}\n  \
             curl -H \"Authorization: Bearer $(cat {})\" http://{}/v1/info\n",
            node.listening()?,
            quoted(&node.dir.token()),
            api.trim(),
        ));
    }
    let alice = quoted(inhabitants.alice.dir.path());
    text.push_str(&format!(
        "\npay from alice to carol:\n  {program} pay {carol} 50sat -m 'hello' --dir {alice}\n"
    ));
    let Access { url, user, password } = &inhabitants.rpc.access;
    text.push_str(&format!(
        "\nmine a block:\n  curl -u {user}:{password} {url} -d \
         '{{\"method\":\"generatetoaddress\",\"params\":[1,\"{NOBODY}\"]}}'"
    ));
    Ok(text)
}

/// Returns only if somebody has ended by itself.
pub async fn watch(world: &mut World) -> Failure {
    loop {
        if let Some(failure) = world.fallen() {
            return failure;
        }
        tokio::time::sleep(GLANCE).await;
    }
}
