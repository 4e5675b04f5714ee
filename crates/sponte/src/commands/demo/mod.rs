//! `sponte demo`

mod chain;
mod child;
mod janitor;
mod kinds;
mod node;
mod payment;
mod progress;
mod report;
mod scenes;
mod serve;
mod setup;
mod until;
mod ways;
mod world;

use crate::failure::{CommandResult, Done, Failure};
use crate::interrupt::Interrupt;
use crate::output::Output;
use clap::Args;
use progress::Progress;
use report::Report;
use scenes::Scene;
use sponte_api::{Code, Verdict};
use std::path::PathBuf;
use until::{failed, until};
use world::{Inhabitants, World};

/// Show it: a private chain, four nodes, payments between them
///
/// Starts a private Bitcoin chain and alice, bob, carol and dave, four nodes of this same program
/// with folders of their own, opens channels from alice to carol over bob and over dave, and pays
/// across them with every kind, as a user would. Needs nothing and touches nothing: no bitcoind, no
/// folder or setting of yours; at the end, and on Ctrl-C, everything is stopped and removed. The
/// exit code is 0 only if every step went as it should, those that must fail too.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Leave it running after the payments, and say how to talk to it
    #[arg(long)]
    serve: bool,
    /// Keep what the chain and the nodes log, in this folder
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// What the demo starts for itself: wait until stdin closes, then remove this folder
    #[arg(long, hide = true, value_name = "DIR", conflicts_with_all = ["serve", "logs"])]
    remove_at_end: Option<PathBuf>,
}

/// Plays all of it. Whatever happens, everything is stopped and removed before it returns.
pub async fn execute(output: Output, args: &DemoArgs) -> CommandResult {
    if let Some(folder) = &args.remove_at_end {
        return janitor::clean_up(folder);
    }
    let mut interrupt = Interrupt::listen()?;
    let mut world = World::make(args.logs.as_deref())?;
    let played = tokio::select! {
        played = play(output, &mut world) => played,
        () = interrupt.wait() => Err(failed("interrupted; everything is stopped and removed")),
    };
    let mut trouble = vec![];
    if played.is_ok() && args.serve {
        trouble.extend(serve(output, &mut world, &mut interrupt).await.err());
    }
    let played = played.map_err(|failure| world.fallen().unwrap_or(failure));
    trouble.extend(world.end().await.err());
    // The answer is told already, or the failure will be: this is said besides.
    trouble.iter().for_each(|failure| output.progress(&format!("error: {}", failure.message)));
    match played {
        Ok(_) if !trouble.is_empty() => Ok(Done::Told(Code::DemoFailed)),
        played => played,
    }
}

/// Sets up, pays, and tells how it went. An error means that nothing is told yet.
async fn play(output: Output, world: &mut World) -> CommandResult {
    let progress = Progress::new(output, Scene::ALL.len() + 1);
    world.populate(&progress).await?;
    setup::prepare(world.inhabitants(), &progress).await?;
    let mut report = Report { steps: vec![], ok: false };
    let broken = perform(world, &progress, &mut report).await.err();
    report.ok = broken.is_none() && report.steps.iter().all(|step| step.wrong.is_none());
    progress.clear();
    output.answer(&report, report::words);
    for step in &report.steps {
        if let Some(wrong) = &step.wrong {
            output.progress(&format!("error: {}: {wrong}", step.name));
        }
    }
    if let Some(failure) = broken.map(|failure| world.fallen().unwrap_or(failure)) {
        output.progress(&format!("error: {}", failure.message));
    }
    Ok(if report.ok { Done::Well } else { Done::Told(Code::DemoFailed) })
}

/// All steps, as far as they go, and a look into the books.
async fn perform(world: &mut World, progress: &Progress, report: &mut Report) -> Result<(), Failure> {
    for scene in Scene::ALL {
        report.steps.push(scene.make(world, progress).await?);
    }
    progress.step("checking everybody's books", books(world.inhabitants())).await
}

/// Every comparison agrees at every node, once what is under way between two peers has ended.
async fn books(world: &Inhabitants) -> Result<(), Failure> {
    for node in [&world.alice, &world.bob, &world.carol, &world.dave] {
        let mut found = String::new();
        let clean = until("the books agree", async || {
            let report = node.client().audit().await.map_err(|error| node.failure(error))?;
            let open = report.lines.into_iter().filter(|line| line.verdict != Verdict::Agrees);
            found = open.map(|line| line.text).collect::<Vec<_>>().join("; ");
            Ok((report.clean && found.is_empty()).then_some(()))
        });
        clean.await.map_err(|why| failed(format!("{}: {}: {found}", node.name, why.message)))?;
    }
    Ok(())
}

/// With `--json` the object is told already, and stdout is its alone.
async fn serve(output: Output, world: &mut World, interrupt: &mut Interrupt) -> Result<(), Failure> {
    output.progress(&serve::words(world)?);
    tokio::select! {
        failure = serve::watch(world) => Err(failure),
        () = interrupt.wait() => Ok(()),
    }
}
