//! A private Bitcoin regtest chain in memory behind the JSON-RPC of bitcoind.
