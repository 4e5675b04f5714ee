//! What every command starts from: the folder, its settings, the way to its node.

use crate::cli::Global;
use crate::data_dir::{self, DataDir};
use crate::failure::{Failure, storage};
use crate::network::Network;
use crate::output::Output;
use crate::seed;
use crate::settings::Settings;
use sponte_api::{Client, ClientError, Code, Payment, PaymentsQuery};

/// What every command starts from.
#[derive(Clone, Debug)]
pub struct Context {
    /// The node's folder.
    pub dir: DataDir,
    /// The node's chain.
    pub network: Network,
    /// The folder's `sponte.toml`.
    pub settings: Settings,
    /// Where answers go.
    pub output: Output,
}

impl Context {
    /// From what is common to all commands.
    ///
    /// # Errors
    /// Settings that cannot be read, or that are of another chain.
    pub fn new(global: &Global, output: Output) -> Result<Context, Failure> {
        let dir = DataDir::locate(global.dir.as_deref(), global.network.unwrap_or_default())?;
        let settings = Settings::read(&dir)?;
        let network = match (settings.network, global.network) {
            (Some(theirs), Some(asked)) if theirs != asked => {
                return Err(Failure::new(
                    Code::BadConfig,
                    format!(
                        "{} is a folder of {theirs}, not of {asked}; choose another --dir, or leave out --network",
                        dir.path().display()
                    ),
                ));
            }
            (theirs, asked) => theirs.or(asked).unwrap_or_default(),
        };
        Ok(Context { dir, network, settings, output })
    }

    /// Flags that name this folder to another command.
    pub fn flags(&self) -> String {
        self.dir.flag(self.network)
    }

    /// Refuses a folder in which no node was made.
    ///
    /// # Errors
    /// There is none.
    pub fn require_node(&self) -> Result<(), Failure> {
        if self.dir.is_initialised() {
            return Ok(());
        }
        if self.dir.lacks_its_seed() {
            return Err(seed::missing(&self.dir));
        }
        let (path, flags) = (self.dir.path().display(), self.flags());
        Err(Failure::new(
            Code::NotInitialised,
            format!("{path} holds no node: make one with `sponte init{flags}`"),
        ))
    }

    /// The node that runs on the folder. An address that a killed node left behind is not used:
    /// whoever listens there now would be sent the token.
    ///
    /// # Errors
    /// None was made, none runs, or it does not serve its API yet.
    pub fn node(&self) -> Result<Node<'_>, Failure> {
        self.require_node()?;
        let path = self.dir.path();
        if !sponte_store::is_in_use(path).map_err(|why| storage("look into", path, &why))? {
            return Err(self.no_node());
        }
        let address = data_dir::read(&self.dir.api_address())?.ok_or_else(|| self.not_ready())?;
        let token = data_dir::read(&self.dir.token())?.ok_or_else(|| {
            let path = self.dir.token();
            Failure::new(Code::Unauthorized, format!("{} is missing; restore it from a copy", path.display()))
        })?;
        let client = Client::new(address.trim(), token.trim())
            .map_err(|why| Failure::new(Code::Internal, format!("the system gives no HTTP client: {why}")))?;
        Ok(Node { client, context: self })
    }

    fn not_ready(&self) -> Failure {
        let path = self.dir.path().display();
        Failure::new(
            Code::Busy,
            format!(
                "the node on {path} is starting, stopping or waiting for bitcoind: see its log, and try again"
            ),
        )
    }

    fn no_node(&self) -> Failure {
        let (path, flags) = (self.dir.path().display(), self.flags());
        Failure::new(Code::NoNode, format!("no node runs on {path}: start it with `sponte run{flags}`"))
    }
}

/// The node that runs on a folder.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// Speaks to it.
    pub client: Client,
    context: &'a Context,
}

impl Node<'_> {
    /// The payment with an idempotency key, if there is one.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn payment_of_key(&self, key: &str) -> Result<Option<Payment>, Failure> {
        let query = PaymentsQuery { key: Some(key.to_owned()), ..PaymentsQuery::default() };
        let found = self.client.payments(&query).await.map_err(|error| self.failure(error))?;
        Ok(found.payments.into_iter().next())
    }

    /// What to say of a request that was not answered as hoped.
    pub fn failure(&self, error: ClientError) -> Failure {
        match error {
            ClientError::NoNode { .. } | ClientError::Stranger { .. } => self.context.no_node(),
            ClientError::Refused(refusal) if refusal.code == Code::Unauthorized => Failure::new(
                Code::Unauthorized,
                format!(
                    "the node does not know the token in {}; restart the node, which reads it",
                    self.context.dir.token().display()
                ),
            ),
            other => other.into(),
        }
    }
}
