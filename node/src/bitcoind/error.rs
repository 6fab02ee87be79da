//! Why bitcoind did not answer, and what to do.

use std::path::PathBuf;
use std::time::Duration;

use bitcoin::BlockHash;
use thiserror::Error;

use crate::config::ServerAddress;

/// Why bitcoind did not answer, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RpcError {
    /// No connection, or one that broke. It may be there later.
    #[error(
        "bitcoind at {address} cannot be reached: {reason}; expected its RPC server there: check that it runs, and trading.bitcoind"
    )]
    Unreachable {
        /// Where it should be.
        address: ServerAddress,
        /// The host's error.
        reason: String,
    },
    /// The file with the login is of no use. A cookie is missing while bitcoind does not run.
    #[error("the login for bitcoind cannot be taken from {}: {reason}", .file.display())]
    LoginFile {
        /// Which file.
        file: PathBuf,
        /// What was found, what was expected and what to do.
        reason: String,
    },
    /// It does not know the user, or the password is wrong (HTTP status 401).
    #[error(
        "bitcoind at {address} refuses {login}; expected what its settings rpcauth, or rpcuser and rpcpassword, say, or the cookie that \
         it wrote when it started: check trading.bitcoind_cookie_file or trading.bitcoind_password_file"
    )]
    Login {
        /// Which bitcoind.
        address: ServerAddress,
        /// Who asked: the file or the user, never the password.
        login: String,
    },
    /// It does not talk to this host (HTTP status 403).
    #[error("bitcoind at {address} does not talk to this host: add the host's address to its setting rpcallowip")]
    Forbidden {
        /// Which bitcoind.
        address: ServerAddress,
    },
    /// Too many ask it at once (HTTP status 503). It may answer later.
    #[error("bitcoind at {address} has too many requests waiting: ask again later, or raise its setting rpcworkqueue")]
    Busy {
        /// Which bitcoind.
        address: ServerAddress,
    },
    /// It has just been started, and reads its files. It will answer later.
    #[error("bitcoind is starting ({message}): ask again later")]
    Starting {
        /// What it does.
        message: String,
    },
    /// It answered with an error.
    #[error("bitcoind refused {method} with code {code}: {message}")]
    Refused {
        /// What was asked.
        method: &'static str,
        /// The code (`rpc/protocol.h` of Bitcoin Core).
        code: i64,
        /// Its words.
        message: String,
    },
    /// Its answer cannot be one.
    #[error(
        "bitcoind's answer to {method} cannot be right: found {found}, expected {expected}: check that trading.bitcoind is a bitcoind"
    )]
    Malformed {
        /// What was asked.
        method: &'static str,
        /// What is wrong.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// Its answer is longer than such answers are.
    #[error(
        "bitcoind's answer to {method} is longer than {limit} bytes, which no such answer is: check that trading.bitcoind is a bitcoind"
    )]
    TooLarge {
        /// What was asked.
        method: &'static str,
        /// The bound.
        limit: usize,
    },
    /// No answer, or not all of one. It may answer later.
    #[error("bitcoind did not answer {method} within {} s: see whether its host is overloaded", .after.as_secs())]
    Timeout {
        /// What was asked.
        method: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// It has deleted the block.
    #[error(
        "bitcoind has deleted block {hash} to save space; expected all blocks: set prune=0, start it with -reindex, and wait until it has \
         downloaded them again"
    )]
    Pruned {
        /// Which block.
        hash: BlockHash,
    },
}
