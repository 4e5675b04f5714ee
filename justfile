# What one types often; nothing needs it.

# list the recipes
default:
    @just --list

# all that a change must pass, but for `just deny`
ci:
    .ci/run

# types and lints of everything
check:
    cargo clippy --workspace --all-targets -- -D warnings

# format
fmt:
    cargo fmt --all

# tests of everything, or of one crate: just test sponte-engine
test crate='':
    cargo test {{ if crate == '' { '--workspace' } else { '-p ' + crate } }}

# sponte beside LND on bitcoind; writes the table in docs/interop.md
interop *args:
    ci/peers/install
    rm -rf target/tmp/interop
    cargo test --workspace --test interop -- --ignored --test-threads 2 {{ args }}
    cargo run -p sponte-peers --bin interop-table -- target/tmp/interop docs/interop.md "$(date +%F)"

# the scenarios on a bitcoind instead of the private chain
scenarios-on-bitcoind:
    ci/peers/install
    SPONTE_CHAIN=bitcoind cargo test --workspace --test scenarios

# four nodes on a private chain; just demo --serve
demo *args:
    cargo run --release -- demo {{ args }}

# the long crash tests and their control; some minutes each
crashes kills='300':
    SPONTE_CRASH_KILLS={{ kills }} cargo test --release -p sponte --test crashes -- --ignored --nocapture --test-threads 1

# the engine's simulator over many seeds
simulate seeds='10000':
    SPONTE_SEEDS={{ seeds }} cargo test --release -p sponte-engine --test engine

# benchmarks
bench:
    cargo bench -p sponte-testkit -p sponte-proto -p sponte-ldk

# documentation, in the browser
doc:
    cargo doc --workspace --no-deps --open

# advisories, licences, sources; needs the network (cargo install cargo-deny)
deny:
    cargo deny check
