//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use libp2p::PeerId;

use super::trading::{Asset, Order, Trade};
use super::wallet::Wallet;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the command failed
  2  bad input: arguments, configuration or identity file
  3  no node is running

Environment:
  DARKSWAP_DIR            the node's folder
  DARKSWAP_CONFIG         the configuration file
  DARKSWAP_LOG            what `run` logs, for example `info,darkswap=debug`
  DARKSWAP_<TABLE>_<KEY>  a setting, for example DARKSWAP_RELAY_SERVER=true

Example:
  darkswap init
  darkswap run &
  darkswap status";

/// A DarkSwap node: makes it, runs it, and talks to a running one.
#[derive(Debug, Parser)]
#[command(name = "darkswap", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the node's files are.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The node's folder: identity, configuration, control socket [default: the user's data folder]
    #[arg(long, global = true, env = "DARKSWAP_DIR", hide_env = true, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// The configuration file [default: darkswap.toml in the node's folder, if there is one]
    #[arg(long, global = true, env = "DARKSWAP_CONFIG", hide_env = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an identity, a certificate and a commented configuration file
    #[command(after_help = "Nothing is ever overwritten.\n\nExample:\n  darkswap init --dir /var/lib/darkswap")]
    Init,
    /// Run the node until it is told to stop (`darkswap stop`, Ctrl-C, SIGTERM)
    #[command(after_help = RUN_HELP)]
    Run(Run),
    /// Print the resolved configuration and where each value comes from
    #[command(after_help = "Example:\n  DARKSWAP_LIMITS_CONNECTIONS=100 darkswap config --relay-server")]
    Config(Config),
    /// Show the running node's peer id, addresses and reservations
    Status(Shown),
    /// List the peers that are connected or wanted
    Peers(Shown),
    /// List the relays that the node can choose: the home, standbys, and what is known of each
    Relays(Shown),
    /// Make a path to a peer and keep it: direct when possible, else through a relay
    #[command(after_help = CONNECT_HELP)]
    Connect(Connect),
    /// Close the connections to a peer and stop wanting it
    Disconnect(Disconnect),
    /// Send a message to a peer and wait until it is acknowledged
    #[command(
        override_usage = "darkswap send [OPTIONS] <PEER_ID> <TEXT|--file <FILE>>",
        after_help = "Examples:\n  darkswap send 12D3KooW... 'hello'\n  darkswap send 12D3KooW... --file order.json"
    )]
    Send(Send),
    /// Publish a message on a gossip topic
    #[command(override_usage = "darkswap publish [OPTIONS] <TOPIC> <TEXT|--file <FILE>>")]
    #[command(after_help = "Example:\n  darkswap publish orders 'hello, everybody'")]
    Publish(Publish),
    /// Follow what happens in the running node
    #[command(after_help = "Example:\n  darkswap events --only message_received,gossip --json")]
    Events(Events),
    /// STUN and TURN servers, which WebRTC needs behind NATs
    #[command(subcommand)]
    Ice(Ice),
    /// The wallet: make it, restore it, look into it
    #[command(subcommand)]
    Wallet(Wallet),
    /// Orders: offer an asset or bitcoin, and see what others offer
    #[command(subcommand)]
    Order(Order),
    /// Trades: take orders and follow swaps
    #[command(subcommand)]
    Trade(Trade),
    /// Runes and alkanes of the wallet
    #[command(subcommand)]
    Asset(Asset),
    /// Stop the running node in good order
    Stop,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ice {
    /// Ask every server from every address of this host: does it work, and which address does it see?
    #[command(after_help = ICE_TEST_HELP)]
    Test(IceTest),
}

#[derive(Debug, Args)]
pub(crate) struct IceTest {
    /// Test this server instead of the configured ones (repeatable)
    #[arg(long, value_name = "SERVER")]
    pub(crate) server: Vec<String>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

const RUN_HELP: &str = "\
Logs go to standard error, the ready message to standard output. A second Ctrl-C ends the node at once.

Examples:
  darkswap run
  darkswap run --relay-server --listen /ip4/0.0.0.0/udp/4001/quic-v1 --set node.reachability=public
  darkswap run --relay /ip4/198.51.100.7/udp/4001/quic-v1/p2p/12D3KooW... --log-format json";

const CONNECT_HELP: &str = "\
Examples:
  darkswap connect /ip4/198.51.100.7/udp/4001/quic-v1/p2p/12D3KooW...
  darkswap connect /ip4/198.51.100.7/udp/4001/quic-v1/p2p/<relay>/p2p-circuit/p2p/<peer>
  darkswap connect 12D3KooW...        asks the DHT and the node's own relays";

const ICE_TEST_HELP: &str = "\
No node has to run. Ends with 0 when at least one server works. Two servers are needed to see what kind of mapping the NAT has.

Examples:
  darkswap ice test
  darkswap ice test --server stun:stun.example.org --server stun:192.0.2.1:19302
  darkswap ice test --server '{ url = \"turn:turn.example.org\", username = \"alice\", credential_file = \"turn-credential\" }'";

/// Settings that override the environment and the file.
#[derive(Debug, Args)]
pub(crate) struct Overrides {
    /// Listen on this address instead of the configured ones (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<String>,
    /// Hold a reservation on this relay instead of the configured ones (repeatable)
    #[arg(long, value_name = "PEER_ADDRESS")]
    pub(crate) relay: Vec<String>,
    /// Relay for others
    #[arg(long)]
    pub(crate) relay_server: bool,
    /// Set any setting, for example `limits.connections=100`; lists are separated by commas (repeatable)
    #[arg(long, value_name = "TABLE.KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    /// How logs are written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Print one line of JSON with the peer id and the addresses when the node is ready
    #[arg(long)]
    pub(crate) ready_json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Shown {
    /// Print JSON, for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// A peer's address, which ends in `/p2p/<peer id>`, or just its peer id
    #[arg(value_name = "PEER_ADDRESS")]
    pub(crate) peer: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Disconnect {
    /// Whom
    #[arg(value_name = "PEER_ID")]
    pub(crate) peer: PeerId,
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false)]
pub(crate) struct Content {
    /// The message
    #[arg(group = "what")]
    pub(crate) text: Option<String>,
    /// Take the message from a file, `-` for standard input
    #[arg(long, value_name = "FILE", group = "what")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// To whom
    #[arg(value_name = "PEER_ID")]
    pub(crate) peer: PeerId,
    #[command(flatten)]
    pub(crate) content: Content,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// Where
    pub(crate) topic: String,
    #[command(flatten)]
    pub(crate) content: Content,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Show only these events
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// End after this many events
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_message_is_a_text_or_a_file_and_never_both() {
        let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let parses = |rest: &[&str]| Arguments::try_parse_from([&["darkswap", "send", peer], rest].concat()).is_ok();
        assert!(parses(&["hello"]));
        assert!(parses(&["--file", "x"]));
        assert!(!parses(&[]));
        assert!(!parses(&["hello", "--file", "x"]));
    }
}
