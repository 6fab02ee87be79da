//! What locks a new wallet and opens an old one: flags, then the configuration, then the terminal.

use std::io;
use std::path::Path;

use anyhow::Context as _;
use darkswap_node::TokioRuntime;
use darkswap_node::config_file::TradingSettings;
use darkswap_node::wallet_file::{self, Opener, WalletFileError};
use darkswap_wallet::Seed;

use super::arguments::{NewLock, OldLock};
use super::terminal;
use crate::cli::failure::Failure;

/// What is to lock a new wallet. A new key file is made.
pub(super) fn new(trading: &TradingSettings, lock: &NewLock) -> Result<Opener, Failure> {
    if let Some(path) = &lock.new_key_file {
        let key = wallet_file::generate_key(&TokioRuntime);
        wallet_file::create_key(path, &key)?;
        return Ok(Opener::Key(key));
    }
    let is_given = lock.passphrase_file.is_some() || lock.key_file.is_some();
    let configured = (&trading.passphrase_file, &trading.key_file);
    match if is_given { (&lock.passphrase_file, &lock.key_file) } else { configured } {
        (Some(path), _) => Ok(Opener::Passphrase(wallet_file::load_passphrase(path)?)),
        (None, Some(path)) => Ok(Opener::Key(wallet_file::load_key(path)?)),
        (None, None) => terminal::ask_twice().map(Opener::Passphrase),
    }
}

/// Opens the configured wallet.
pub(crate) fn open(trading: &TradingSettings, lock: &OldLock) -> Result<Seed, Failure> {
    let path = &trading.wallet;
    let sealed = match wallet_file::load(path) {
        Err(WalletFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            let hint = "`darkswap wallet create` makes one, `darkswap wallet import` restores one";
            return Err(Failure::bad_input(format!("there is no wallet file {}; {hint}", path.display())));
        }
        loaded => loaded?,
    };
    let needs_passphrase = sealed.needs_passphrase();
    let needs_passphrase =
        needs_passphrase.map_err(|reason| WalletFileError::Refused { path: path.clone(), reason })?;
    // A file that was given is tried, so that the wrong kind of it is told apart from a wrong one.
    let opener = match (&lock.passphrase_file, &lock.key_file) {
        (Some(file), _) => Opener::Passphrase(wallet_file::load_passphrase(file)?),
        (None, Some(file)) => Opener::Key(wallet_file::load_key(file)?),
        (None, None) => match (needs_passphrase, &trading.passphrase_file, &trading.key_file) {
            (true, Some(file), _) => Opener::Passphrase(wallet_file::load_passphrase(file)?),
            (true, None, _) => {
                Opener::Passphrase(terminal::ask("Passphrase of the wallet: ", terminal::PASSPHRASE_FILES)?)
            }
            (false, _, Some(file)) => Opener::Key(wallet_file::load_key(file)?),
            (false, _, None) => {
                let expected = "it is locked with a key file; give --key-file, or set trading.key_file";
                return Err(Failure::bad_input(format!("{}: {expected}", path.display())));
            }
        },
    };
    Ok(wallet_file::unseal(path, &sealed, &opener)?)
}

/// Refuses to go on when there is a file already: before a person types a passphrase, and before a key file is made for nothing.
pub(super) fn require_absent(path: &Path) -> Result<(), Failure> {
    let exists = path.try_exists().with_context(|| format!("cannot look for {}", path.display()))?;
    if exists {
        return Err(WalletFileError::Exists { part: wallet_file::Part::Seed, path: path.to_owned() }.into());
    }
    Ok(())
}
