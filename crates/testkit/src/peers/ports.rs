//! Ports that nobody listens on.

use std::net::{Ipv4Addr, TcpListener};

/// Free ports of the loopback, all different. Whoever wants to listen on them may come too late.
///
/// # Panics
/// There are none.
pub fn free_ports<const N: usize>() -> [u16; N] {
    // All at once, as a port that was let go may be given again.
    let listeners =
        [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
