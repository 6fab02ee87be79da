//! What can be typed behind `darkswap wallet`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::arguments::Shown;
use crate::cli::trading;

#[derive(Debug, Subcommand)]
pub(crate) enum Wallet {
    /// Make a wallet, and show the words from which it can be restored
    #[command(after_help = CREATE_HELP)]
    Create(Create),
    /// Restore a wallet from its words
    #[command(after_help = IMPORT_HELP)]
    Import(Import),
    /// Show the words of the wallet
    #[command(after_help = EXPORT_HELP)]
    ExportSeed(ExportSeed),
    /// Show the public descriptors of the wallet, with which other programs can watch it
    #[command(after_help = DESCRIPTOR_HELP)]
    Descriptor(Descriptor),
    #[command(flatten)]
    Running(trading::Wallet),
}

const CREATE_HELP: &str = "\
The wallet's file is the one that `trading.wallet` names, and nothing is ever overwritten. It is locked with a passphrase or with a key
file; without an option here and in the configuration, the passphrase is asked for on the terminal. No node has to run.

Examples:
  darkswap wallet create
  darkswap wallet create --new-key-file /media/stick/wallet.key
  darkswap wallet create --passphrase-file ~/wallet-passphrase --json";

const IMPORT_HELP: &str = "\
The words are 12, 15, 18, 21 or 24 of the English BIP 39 list, and the wallet is a BIP 86 account (taproot). Without --words-file they are
asked for on the terminal. The node looks for the wallet's coins when it starts.

Examples:
  darkswap wallet import
  darkswap wallet import --words-file words.txt --new-key-file /media/stick/wallet.key
  gpg --decrypt words.gpg | darkswap wallet import --words-file - --passphrase-file ~/wallet-passphrase";

const EXPORT_HELP: &str = "\
Whoever sees the words can take everything in the wallet.

Examples:
  darkswap wallet export-seed
  darkswap wallet export-seed --key-file /media/stick/wallet.key --json";

const DESCRIPTOR_HELP: &str = "\
Who has the descriptors sees every payment of the wallet, but can spend nothing.

Examples:
  darkswap wallet descriptor
  darkswap wallet descriptor --network regtest --json";

/// What locks a new wallet.
#[derive(Debug, Args)]
#[group(id = "new_lock", multiple = false)]
pub(crate) struct NewLock {
    /// Lock it with the passphrase in this file (one line, mode 0600)
    #[arg(long, value_name = "FILE", group = "new_lock")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Lock it with the key in this file
    #[arg(long, value_name = "FILE", group = "new_lock")]
    pub(crate) key_file: Option<PathBuf>,
    /// Make this key file and lock it with that
    #[arg(long, value_name = "FILE", group = "new_lock")]
    pub(crate) new_key_file: Option<PathBuf>,
}

/// What opens a wallet.
#[derive(Debug, Default, Args)]
#[group(id = "lock", multiple = false)]
pub(crate) struct OldLock {
    /// Open it with the passphrase in this file (one line, mode 0600)
    #[arg(long, value_name = "FILE", group = "lock")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Open it with the key in this file
    #[arg(long, value_name = "FILE", group = "lock")]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) lock: NewLock,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Take the words from this file (mode 0600), `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) words_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) lock: NewLock,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct ExportSeed {
    #[command(flatten)]
    pub(crate) lock: OldLock,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Descriptor {
    /// Of this chain instead of the configured one
    #[arg(long, value_name = "NETWORK")]
    pub(crate) network: Option<String>,
    #[command(flatten)]
    pub(crate) lock: OldLock,
    #[command(flatten)]
    pub(crate) shown: Shown,
}
