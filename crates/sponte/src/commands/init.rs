//! `sponte init`

use crate::context::Context;
use crate::data_dir;
use crate::failure::{CommandResult, Done, Failure};
use crate::{node_start, seed, settings};
use clap::Args;
use serde::Serialize;
use sponte_api::Code;
use std::io::{self, BufRead, IsTerminal};
use zeroize::Zeroizing;

/// Make a node: its seed, its token and its settings
///
/// Shows the 24 words of the seed once: write them down. With them alone, `sponte init --restore`
/// brings back the money on the chain: the wallet's, and what closed channels paid to the static
/// outputs of this seed. It does NOT bring back channels: their money is safe only with the
/// node's folder, of which never two copies may run. A peer that closes its channel with a lost
/// node pays into such a static output; so tell the peers of a lost node to close.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Read the words of an earlier seed from stdin instead of making new ones
    #[arg(long)]
    pub restore: bool,
    /// Of a restored seed: a block height before its first use, from which the chain is searched.
    /// Too low is slow, too high hides money; without it the whole chain is searched.
    #[arg(long, requires = "restore", value_name = "HEIGHT")]
    pub birthday_height: Option<u32>,
}

#[derive(Serialize)]
struct Made<'a> {
    dir: String,
    network: String,
    restored: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed_words: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birthday_height: Option<u32>,
}

/// The seed is written last: a folder with a seed is a whole node. One without it and without a
/// database can be made into one by the same command again; with a database it may be a lost one.
pub fn execute(context: &Context, args: &InitArgs) -> CommandResult {
    let dir = &context.dir;
    if dir.is_initialised() {
        return Err(seed::exists(context));
    }
    if dir.lacks_its_seed() {
        return Err(seed::missing(dir));
    }
    let seed = match args.restore {
        true => seed::of_words(&read_words()?)?,
        false => seed::generate()?,
    };
    dir.create()?;
    dir.make_private()?;
    data_dir::create_exclusive(&dir.settings(), settings::template(context.network).as_bytes())?;
    data_dir::create_exclusive(&dir.token(), format!("{}\n", fresh_token()?).as_bytes())?;
    if args.restore {
        let height = args.birthday_height.unwrap_or(0);
        data_dir::replace(&dir.birthday(), format!("{height}\n").as_bytes())?;
    }
    node_start::create(dir)?;
    seed::write(context, &seed)?;
    let words = seed.words();
    let made = Made {
        dir: dir.path().display().to_string(),
        network: context.network.to_string(),
        restored: args.restore,
        seed_words: (!args.restore).then_some(words.as_str()),
        birthday_height: args.restore.then(|| args.birthday_height.unwrap_or(0)),
    };
    context.output.answer(&made, |made| words_of(made, &context.flags()));
    Ok(Done::Well)
}

fn words_of(made: &Made<'_>, flags: &str) -> String {
    let mut text = String::new();
    if let Some(words) = &made.seed_words {
        text.push_str("These 24 words are the node's seed. They are shown once: write them down now.\n\n");
        let words: Vec<&str> = words.split(' ').collect();
        for (row, chunk) in words.chunks(6).enumerate() {
            for (column, word) in chunk.iter().enumerate() {
                text.push_str(&format!("{:>4} {word:<10}", row * 6 + column + 1));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text.push_str(
            "\nThey bring back money on the chain, but no channels: \
             the folder of a node with channels is as precious as its seed.\n\n",
        );
    }
    let verb = if made.restored { "Restored" } else { "Made" };
    text.push_str(&format!("{verb} a node on {} in {}\n", made.network, made.dir));
    text.push_str(&format!(
        "Next: say in sponte.toml there where your bitcoind is, then start it with `sponte run{flags}`"
    ));
    text
}

/// Words never come from the command line, which other users of the machine can see.
fn read_words() -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    let prompts = stdin.is_terminal();
    if prompts {
        eprintln!("The words of the seed, in order, then an empty line:");
    }
    let mut words = Zeroizing::new(String::new());
    for line in stdin.lock().lines() {
        let line = line.map(Zeroizing::new).map_err(|why| {
            Failure::new(Code::InvalidRequest, format!("cannot read the words from stdin: {why}; try again"))
        })?;
        words.push_str(&line);
        words.push(' ');
        let enough = words.split_whitespace().count() >= 24;
        if words.len() > 10_000 || enough || (prompts && line.trim().is_empty()) {
            break;
        }
    }
    if words.trim().is_empty() {
        return Err(Failure::new(Code::InvalidRequest, "no words on stdin; type them, or pipe them in"));
    }
    Ok(words)
}

fn fresh_token() -> Result<String, Failure> {
    let mut token = [0; 32];
    getrandom::fill(&mut token)
        .map_err(|why| Failure::new(Code::Internal, format!("the system gives no randomness: {why}")))?;
    Ok(sponte_proto::hex(&token))
}
