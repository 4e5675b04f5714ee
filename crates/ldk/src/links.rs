//! TCP connections of peers, from the socket to LDK and back.

use crate::types::PeerManager;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::SocketAddress;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a socket reports when its peer is gone: an interest that brings no other news.
#[cfg(any(target_os = "linux", target_os = "android"))]
const END: Interest = Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const END: Interest = Interest::ERROR;
/// How long whoever reads has to get there.
const GRACE: Duration = Duration::from_millis(200);
/// Connections that peers may have made. Each has two descriptors, and of the 1,024 that a process
/// may have without asking the store and bitcoind need some.
pub(crate) const MAX_INBOUND: usize = 256;

/// Accepts connections for ever, and serves so many at once; the others wait. All end with this.
pub(crate) async fn accept<S>(listener: TcpListener, most: usize, serve: impl Fn(TcpStream) -> S)
where
    S: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut served = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = served.join_next() => {}
            accepted = listener.accept(), if served.len() < most => {
                match accepted.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => drop(served.spawn(serve(stream))),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }
    }
}

/// Serves a connection that a peer made, until it ends.
pub(crate) async fn accepted(peers: Arc<PeerManager>, stream: TcpStream) -> io::Result<()> {
    let socket = Socket::watched(&stream)?;
    socket.served(&peers, lightning_net_tokio::setup_inbound(peers.clone(), stream)).await;
    Ok(())
}

/// Serves a connection that we made, until it ends.
pub(crate) async fn made(peers: Arc<PeerManager>, id: PublicKey, stream: TcpStream) -> io::Result<()> {
    let socket = Socket::watched(&stream)?;
    socket.served(&peers, lightning_net_tokio::setup_outbound(peers.clone(), id, stream)).await;
    Ok(())
}

/// A second handle of a connection's socket.
///
/// LDK does not read from a peer for whom a dozen messages wait to be written, and
/// `lightning-net-tokio` then waits for the socket to take more alone. If the peer dies it never
/// does: the write fails, nobody reads the end, and the peer stays connected until its pings time
/// out, refused whenever it comes back. So somebody must look.
struct Socket {
    /// There until it is dropped.
    stream: Option<tokio::net::TcpStream>,
    address: SocketAddress,
}

/// Whoever lets go of a connection ends it: LDK would go on by itself, and what is no peer yet
/// cannot be disconnected by its id.
impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(Ok(stream)) = self.stream.take().map(tokio::net::TcpStream::into_std) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Socket {
    fn watched(stream: &TcpStream) -> io::Result<Socket> {
        // Messages leave at once: with Nagle's algorithm each of a payment's round trips would
        // wait for a delayed acknowledgement, 40 ms.
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let address = stream.peer_addr()?.into();
        let stream = tokio::net::TcpStream::from_std(stream.try_clone()?)?;
        Ok(Socket { stream: Some(stream), address })
    }

    /// Until the connection ends; then this handle must go too, or the peer would not notice.
    async fn served(self, peers: &PeerManager, connection: impl Future<Output = ()>) {
        let mut connection = std::pin::pin!(connection);
        let stream = self.stream.as_ref().expect("it is not dropped");
        tokio::select! {
            () = &mut connection => return,
            _ = stream.ready(END) => {}
        }
        if tokio::time::timeout(GRACE, &mut connection).await.is_ok() {
            return;
        }
        let broken =
            peers.list_peers().into_iter().find(|peer| peer.socket_address.as_ref() == Some(&self.address));
        if let Some(peer) = broken {
            peers.disconnect_by_node_id(peer.counterparty_node_id);
        }
        connection.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::AsyncReadExt;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_connection_ends_with_whoever_serves_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).expect("loopback connects");
        let (mut peer, _) = listener.accept().await.expect("it connected");
        let socket = Socket::watched(&stream).expect("a socket");
        drop(socket);
        let mut bytes = [0];
        let read = tokio::time::timeout(Duration::from_secs(30), peer.read(&mut bytes));
        assert_eq!(read.await.expect("in time").expect("an end in good order"), 0);
        drop(stream);
    }

    #[tokio::test]
    async fn so_many_connections_are_served_and_the_next_when_one_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let open = Arc::new(AtomicUsize::new(0));
        let (begun, mut served) = mpsc::unbounded_channel();
        let serve = move |stream| {
            let (open, begun) = (open.clone(), begun.clone());
            async move {
                let _ = begun.send(open.fetch_add(1, Ordering::SeqCst) + 1);
                tokio::net::TcpStream::from_std(stream)?.read_to_end(&mut vec![]).await?;
                open.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        };
        let accepting = tokio::spawn(accept(listener, 2, serve));
        let mut streams = vec![];
        for _ in 0..5 {
            streams.push(TcpStream::connect(address).expect("loopback connects"));
        }
        let mut most = 0;
        for _ in 0..5 {
            let next = tokio::time::timeout(Duration::from_secs(30), served.recv());
            most = most.max(next.await.expect("in time").expect("it serves"));
            if most == 2 {
                streams.remove(0);
            }
        }
        assert_eq!(most, 2);
        accepting.abort();
    }
}
