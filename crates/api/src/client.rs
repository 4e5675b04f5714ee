//! A typed client.

use crate::{
    AmpInvoice, AmpInvoiceDetail, AmpInvoices, AuditReport, ChannelOpened, Channels, CloseChannelRequest,
    Code, ConnectRequest, Empty, ErrorBody, ErrorDetail, Events, EventsQuery, HeldPage, Info, Invoice,
    MAX_WAIT_MS, MadeInvoice, NewAmpInvoice, NewInvoice, OpenChannelRequest, PageQuery, PayInvoiceRequest,
    PayRequest, PaymentDetail, Payments, PaymentsQuery, Peers, Quote, ReadInvoiceRequest, Receive,
    ReceivePolicy, RefusedPage, WaitQuery, WalletAddress, WalletBalance, WalletSendRequest, WalletSent,
};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use sponte_proto::{ChannelId, NodeId, PaymentId};
use std::time::Duration;

/// How long a request may take beyond the time that it asks to wait. Opening a channel takes as
/// long as the peer does.
const PATIENCE: Duration = Duration::from_secs(90);

/// Speaks to one node.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens at the node's address.
    #[error("no node answers at {address}")]
    NoNode {
        /// Where.
        address: String,
        /// What the system said.
        source: reqwest::Error,
    },
    /// The connection broke before the answer: what was asked may be done.
    #[error(
        "the node at {address} did not finish its answer; what was asked for may be done: look before you repeat it"
    )]
    Broken {
        /// Where.
        address: String,
        /// What the system said.
        source: reqwest::Error,
    },
    /// Whoever answers is no node of this version.
    #[error("what answers at {address} is no sponte node of this version (HTTP status {status})")]
    Stranger {
        /// Where.
        address: String,
        /// The status.
        status: u16,
    },
    /// The node refused.
    #[error(transparent)]
    Refused(ErrorDetail),
}

impl ClientError {
    /// The code of the table.
    pub fn code(&self) -> Code {
        match self {
            ClientError::NoNode { .. } => Code::NoNode,
            ClientError::Broken { .. } => Code::Unanswered,
            ClientError::Stranger { .. } => Code::NoNode,
            ClientError::Refused(error) => error.code,
        }
    }
}

impl Client {
    /// For the node at `address` (`host:port`), whose owner holds `token`. Nothing is sent yet.
    ///
    /// # Errors
    /// The system gives no HTTP client.
    pub fn new(address: &str, token: &str) -> Result<Client, reqwest::Error> {
        // A proxy from the environment has no business between a node and its owner.
        let http = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(5)).build()?;
        Ok(Client { http, base: format!("http://{address}"), token: token.to_owned() })
    }

    /// The node as it stands.
    ///
    /// # Errors
    /// As every request: see [`ClientError`].
    pub async fn info(&self) -> Result<Info, ClientError> {
        self.ask(self.request(Method::GET, "/v1/info")).await
    }

    /// Pays, and waits at most `wait` for the end.
    ///
    /// # Errors
    /// As every request. A payment that failed is no error.
    pub async fn pay(&self, request: &PayRequest, wait: Duration) -> Result<PaymentDetail, ClientError> {
        let builder = self.request(Method::POST, "/v1/pay").query(&wait_query(wait)).json(request);
        self.ask_waiting(builder, wait).await
    }

    /// What it would cost to pay so now. Nothing is sent or written.
    ///
    /// # Errors
    /// As every request. What a payment would fail with is an error here.
    pub async fn quote(&self, request: &PayRequest) -> Result<Quote, ClientError> {
        self.ask(self.request(Method::POST, "/v1/pay/quote").json(request)).await
    }

    /// Pays an invoice, and waits at most `wait` for the end.
    ///
    /// # Errors
    /// As every request. A payment that failed is no error.
    pub async fn pay_invoice(
        &self,
        request: &PayInvoiceRequest,
        wait: Duration,
    ) -> Result<PaymentDetail, ClientError> {
        let builder = self.request(Method::POST, "/v1/pay-invoice").query(&wait_query(wait)).json(request);
        self.ask_waiting(builder, wait).await
    }

    /// What it would cost to pay an invoice so now. Nothing is sent or written.
    ///
    /// # Errors
    /// As every request. What a payment would fail with is an error here.
    pub async fn quote_invoice(&self, request: &PayInvoiceRequest) -> Result<Quote, ClientError> {
        self.ask(self.request(Method::POST, "/v1/pay-invoice/quote").json(request)).await
    }

    /// What an invoice says.
    ///
    /// # Errors
    /// As every request.
    pub async fn read_invoice(&self, invoice: &str) -> Result<Invoice, ClientError> {
        let request = ReadInvoiceRequest { invoice: invoice.to_owned() };
        self.ask(self.request(Method::POST, "/v1/pay-invoice/read").json(&request)).await
    }

    /// Ends further attempts of a payment. What is on its way may still be paid.
    ///
    /// # Errors
    /// As every request; it may have ended already.
    pub async fn cancel_payment(&self, id: PaymentId) -> Result<PaymentDetail, ClientError> {
        self.ask(self.request(Method::POST, &format!("/v1/payments/{id}/cancel"))).await
    }

    /// A page of payments.
    ///
    /// # Errors
    /// As every request.
    pub async fn payments(&self, query: &PaymentsQuery) -> Result<Payments, ClientError> {
        self.ask(self.request(Method::GET, "/v1/payments").query(query)).await
    }

    /// One payment, at its end or after `wait`.
    ///
    /// # Errors
    /// As every request.
    pub async fn payment(&self, id: PaymentId, wait: Duration) -> Result<PaymentDetail, ClientError> {
        let builder = self.request(Method::GET, &format!("/v1/payments/{id}")).query(&wait_query(wait));
        self.ask_waiting(builder, wait).await
    }

    /// A page of payments that wait for a decision.
    ///
    /// # Errors
    /// As every request.
    pub async fn held(&self, query: &PageQuery) -> Result<HeldPage, ClientError> {
        self.ask(self.request(Method::GET, "/v1/held").query(query)).await
    }

    /// Takes a held payment, or gives it back.
    ///
    /// # Errors
    /// As every request; it may not be held any more.
    pub async fn decide(&self, id: PaymentId, settle: bool) -> Result<PaymentDetail, ClientError> {
        let word = if settle { "settle" } else { "cancel" };
        self.ask(self.request(Method::POST, &format!("/v1/held/{id}/{word}"))).await
    }

    /// Which payments are taken and held.
    ///
    /// # Errors
    /// As every request.
    pub async fn receive(&self) -> Result<ReceivePolicy, ClientError> {
        self.ask(self.request(Method::GET, "/v1/receive")).await
    }

    /// Takes and holds other payments from now on.
    ///
    /// # Errors
    /// As every request.
    pub async fn set_receive(&self, receive: &Receive) -> Result<ReceivePolicy, ClientError> {
        self.ask(self.request(Method::PUT, "/v1/receive").json(receive)).await
    }

    /// Goes back to what the node was started with.
    ///
    /// # Errors
    /// As every request.
    pub async fn reset_receive(&self) -> Result<ReceivePolicy, ClientError> {
        self.ask(self.request(Method::DELETE, "/v1/receive")).await
    }

    /// A page of what was refused.
    ///
    /// # Errors
    /// As every request.
    pub async fn refused(&self, query: &PageQuery) -> Result<RefusedPage, ClientError> {
        self.ask(self.request(Method::GET, "/v1/receive/refused").query(query)).await
    }

    /// Makes an invoice that is paid once.
    ///
    /// # Errors
    /// As every request.
    pub async fn create_invoice(&self, new: &NewInvoice) -> Result<MadeInvoice, ClientError> {
        self.ask(self.request(Method::POST, "/v1/invoices").json(new)).await
    }

    /// Makes an AMP invoice.
    ///
    /// # Errors
    /// As every request.
    pub async fn create_amp_invoice(&self, new: &NewAmpInvoice) -> Result<AmpInvoice, ClientError> {
        self.ask(self.request(Method::POST, "/v1/amp-invoices").json(new)).await
    }

    /// A page of AMP invoices.
    ///
    /// # Errors
    /// As every request.
    pub async fn amp_invoices(&self, query: &PageQuery) -> Result<AmpInvoices, ClientError> {
        self.ask(self.request(Method::GET, "/v1/amp-invoices").query(query)).await
    }

    /// An AMP invoice with its payments.
    ///
    /// # Errors
    /// As every request.
    pub async fn amp_invoice(&self, payment_addr: &str) -> Result<AmpInvoiceDetail, ClientError> {
        self.ask(self.request(Method::GET, &format!("/v1/amp-invoices/{payment_addr}"))).await
    }

    /// Makes an AMP invoice unpayable for good.
    ///
    /// # Errors
    /// As every request.
    pub async fn cancel_amp_invoice(&self, payment_addr: &str) -> Result<Empty, ClientError> {
        self.ask(self.request(Method::POST, &format!("/v1/amp-invoices/{payment_addr}/cancel"))).await
    }

    /// The wallet's coins.
    ///
    /// # Errors
    /// As every request.
    pub async fn wallet_balance(&self) -> Result<WalletBalance, ClientError> {
        self.ask(self.request(Method::GET, "/v1/wallet/balance")).await
    }

    /// A fresh address of the wallet.
    ///
    /// # Errors
    /// As every request.
    pub async fn wallet_address(&self) -> Result<WalletAddress, ClientError> {
        self.ask(self.request(Method::POST, "/v1/wallet/address")).await
    }

    /// Sends coins.
    ///
    /// # Errors
    /// As every request.
    pub async fn wallet_send(&self, request: &WalletSendRequest) -> Result<WalletSent, ClientError> {
        self.ask(self.request(Method::POST, "/v1/wallet/send").json(request)).await
    }

    /// All channels.
    ///
    /// # Errors
    /// As every request.
    pub async fn channels(&self) -> Result<Channels, ClientError> {
        self.ask(self.request(Method::GET, "/v1/channels")).await
    }

    /// Opens a channel.
    ///
    /// # Errors
    /// As every request.
    pub async fn open_channel(&self, request: &OpenChannelRequest) -> Result<ChannelOpened, ClientError> {
        self.ask(self.request(Method::POST, "/v1/channels").json(request)).await
    }

    /// Closes a channel.
    ///
    /// # Errors
    /// As every request.
    pub async fn close_channel(&self, channel: ChannelId, force: bool) -> Result<Empty, ClientError> {
        let builder = self.request(Method::POST, &format!("/v1/channels/{channel}/close"));
        self.ask(builder.json(&CloseChannelRequest { force })).await
    }

    /// All peers.
    ///
    /// # Errors
    /// As every request.
    pub async fn peers(&self) -> Result<Peers, ClientError> {
        self.ask(self.request(Method::GET, "/v1/peers")).await
    }

    /// Connects to a peer.
    ///
    /// # Errors
    /// As every request.
    pub async fn connect_peer(&self, id: NodeId, address: &str) -> Result<Empty, ClientError> {
        let request = ConnectRequest { id, address: address.to_owned() };
        self.ask(self.request(Method::POST, "/v1/peers").json(&request)).await
    }

    /// Disconnects from a peer.
    ///
    /// # Errors
    /// As every request.
    pub async fn disconnect_peer(&self, id: NodeId) -> Result<Empty, ClientError> {
        self.ask(self.request(Method::DELETE, &format!("/v1/peers/{id}"))).await
    }

    /// Events after a place in the log.
    ///
    /// # Errors
    /// As every request.
    pub async fn events(&self, query: &EventsQuery) -> Result<Events, ClientError> {
        let wait = Duration::from_millis(query.wait_ms);
        self.ask_waiting(self.request(Method::GET, "/v1/events").query(query), wait).await
    }

    /// Checks the books.
    ///
    /// # Errors
    /// As every request. What the audit finds is no error.
    pub async fn audit(&self) -> Result<AuditReport, ClientError> {
        self.ask(self.request(Method::GET, "/v1/audit")).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        self.ask_waiting(request, Duration::ZERO).await
    }

    async fn ask_waiting<T>(&self, request: RequestBuilder, wait: Duration) -> Result<T, ClientError>
    where
        T: DeserializeOwned,
    {
        let answer = request.timeout(wait + PATIENCE).send().await.map_err(|source| self.trouble(source))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|source| self.trouble(source))?;
        let stranger =
            |_| ClientError::Stranger { address: self.address().to_owned(), status: status.as_u16() };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(stranger);
        }
        let refusal: ErrorBody = serde_json::from_slice(&body).map_err(stranger)?;
        Err(ClientError::Refused(ErrorDetail::new(refusal.error.code, refusal.error.message)))
    }

    fn trouble(&self, source: reqwest::Error) -> ClientError {
        let address = self.address().to_owned();
        if source.is_connect() || source.is_builder() {
            ClientError::NoNode { address, source }
        } else {
            ClientError::Broken { address, source }
        }
    }

    fn address(&self) -> &str {
        self.base.strip_prefix("http://").expect("the constructor put it there")
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

fn wait_query(wait: Duration) -> WaitQuery {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(MAX_WAIT_MS).min(MAX_WAIT_MS);
    WaitQuery { wait_ms }
}

impl From<ClientError> for ErrorDetail {
    fn from(error: ClientError) -> ErrorDetail {
        ErrorDetail::new(error.code(), error.to_string())
    }
}
