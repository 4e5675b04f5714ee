//! All that the demo starts, and that must be gone at its end.

use super::chain::{self, Rpc};
use super::child::Child;
use super::janitor::Folder;
use super::node::Node;
use super::progress::Progress;
use super::until::failed;
use crate::failure::{Failure, storage};
use sponte_proto::NodeId;
use std::path::{Path, PathBuf};

/// A chain, four nodes, and the folder where they live.
#[derive(Debug)]
pub struct World {
    program: PathBuf,
    folder: Folder,
    logs: PathBuf,
    chain: Option<Child>,
    inhabitants: Option<Inhabitants>,
}

/// What dave asks for, in millionths; the others have the default, which is less.
const DEARER_PPM: &str = "400";

/// Whoever runs.
#[derive(Debug)]
pub struct Inhabitants {
    pub rpc: Rpc,
    pub alice: Node,
    pub bob: Node,
    pub carol: Node,
    pub dave: Node,
}

impl World {
    /// An empty one. The children's logs go to `logs`, and stay there, or else into the folder.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn make(logs: Option<&Path>) -> Result<World, Failure> {
        let program = std::env::current_exe()
            .map_err(|why| failed(format!("cannot tell which program this is: {why}")))?;
        if let Some(logs) = logs {
            std::fs::create_dir_all(logs).map_err(|why| storage("create the folder", logs, &why))?;
        }
        let folder = Folder::make(&program)?;
        let logs = logs.unwrap_or(folder.path()).to_owned();
        Ok(World { program, folder, logs, chain: None, inhabitants: None })
    }

    /// Starts the chain, and at the same time makes the nodes; then runs them.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn populate(&mut self, progress: &Progress) -> Result<(), Failure> {
        let World { program, folder, logs, chain, inhabitants } = self;
        let (program, folder, logs) = (&*program, &*folder, &*logs);
        let make = |name| Node::make(name, program, folder, logs);
        let chain = chain.insert(chain::spawn(program, logs)?);
        let (rpc, mut alice, mut bob, mut carol, mut dave) = progress
            .phase("starting a private chain, making four nodes", async {
                tokio::try_join!(Rpc::reach(chain), make("alice"), make("bob"), make("carol"), make("dave"))
            })
            .await?;
        dave.flags = &["--fee-ppm", DEARER_PPM];
        let access = &rpc.access;
        let run = async {
            tokio::try_join!(
                alice.start(program, folder, access),
                bob.start(program, folder, access),
                carol.start(program, folder, access),
                dave.start(program, folder, access),
            )
        };
        progress.phase("starting alice, bob, carol and dave", run).await?;
        *inhabitants = Some(Inhabitants { rpc, alice, bob, carol, dave });
        Ok(())
    }

    /// Whoever runs.
    pub fn inhabitants(&mut self) -> &mut Inhabitants {
        self.inhabitants.as_mut().expect("asked for only after the world was populated")
    }

    /// Who of them has ended by itself, if somebody has.
    pub fn fallen(&mut self) -> Option<Failure> {
        let World { chain, inhabitants, .. } = self;
        let chain = chain.as_mut().and_then(|chain| chain.require_running().err());
        let nodes =
            || inhabitants.as_mut()?.nodes().into_iter().find_map(|node| node.require_running().err());
        chain.or_else(nodes)
    }

    /// Runs carol again on her folder.
    ///
    /// # Errors
    /// She does not start.
    pub async fn restart_carol(&mut self) -> Result<(), Failure> {
        let World { program, folder, inhabitants, .. } = self;
        let Inhabitants { rpc, carol, .. } =
            inhabitants.as_mut().expect("asked for only after the world was populated");
        carol.start(program, folder, &rpc.access).await
    }

    /// The binary that all of them are.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Stops everybody and removes everything. The chain goes last: who stops may need it.
    ///
    /// # Errors
    /// Something is still there.
    pub async fn end(self) -> Result<(), Failure> {
        if let Some(Inhabitants { mut alice, mut bob, mut carol, mut dave, .. }) = self.inhabitants {
            tokio::join!(alice.stop(), bob.stop(), carol.stop(), dave.stop());
        }
        if let Some(chain) = self.chain {
            chain.stop().await;
        }
        self.folder.remove().await
    }
}

impl Inhabitants {
    /// All of them.
    pub fn nodes(&mut self) -> [&mut Node; 4] {
        [&mut self.alice, &mut self.bob, &mut self.carol, &mut self.dave]
    }

    /// How people call the node with this id.
    pub fn name_of(&self, id: NodeId) -> &'static str {
        let nodes = [&self.alice, &self.bob, &self.carol, &self.dave];
        nodes.into_iter().find(|node| node.id() == id).map_or("a stranger", |node| node.name)
    }
}
