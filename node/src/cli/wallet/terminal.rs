//! Secrets that a person types. They are not shown.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;

/// What to give where there is no terminal to ask on.
pub(super) const PASSPHRASE_FILES: &str = "--passphrase-file, or set trading.passphrase_file";

/// Asks once. `instead` is what to give where nobody can be asked.
pub(super) fn ask(question: &str, instead: &str) -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        let message = format!("there is no terminal to ask on (`{}`); give {instead}", question.trim_end());
        return Err(Failure::bad_input(message));
    }
    let typed = rpassword::prompt_password(question).context("cannot ask on the terminal")?;
    Ok(Zeroizing::new(typed))
}

/// Asks for a new passphrase, twice: a slip of the finger would lock the wallet for ever.
pub(super) fn ask_twice() -> Result<Zeroizing<String>, Failure> {
    let instead = "--passphrase-file, --key-file or --new-key-file";
    let first = ask("New passphrase of the wallet: ", instead)?;
    if first.is_empty() {
        return Err(Failure::bad_input("found an empty passphrase, expected at least one character; nothing was made"));
    }
    if *ask("The same again: ", instead)? != *first {
        return Err(Failure::bad_input("the two passphrases differ; nothing was made"));
    }
    Ok(first)
}
