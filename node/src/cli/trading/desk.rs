//! Questions to the trader, and to the person at the terminal.

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;
use darkswap_node::control::{Reply, Request};
use darkswap_trader::command::{self, Command};

use crate::cli::arguments::Place;
use crate::cli::commands;
use crate::cli::failure::Failure;

/// The fewest digits of an id that are taken for it.
const DIGITS: usize = 4;

/// Digits of ids that tables show.
const SHOWN: usize = 16;

/// Asks the running node's trader.
pub(super) fn ask(place: &Place, command: Command) -> Result<command::Reply, Failure> {
    match commands::ask(place, &Request::Trade(command))? {
        Reply::Trade(reply) => Ok(reply),
        _ => Err(commands::unexpected()),
    }
}

/// Has a person confirm what is to be done, where there is one at a terminal.
pub(super) fn confirm(what: &str, yes: bool) -> Result<(), Failure> {
    if yes || !io::stdin().is_terminal() {
        return Ok(());
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "{} [y/N] ", crate::cli::output::printable(what))
        .and_then(|()| stderr.flush())
        .context("cannot ask on the terminal")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    if is_yes(&answer) { Ok(()) } else { Err(Failure::failed("nothing was done: it was not confirmed")) }
}

pub(super) fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// The one thing whose id begins like this.
pub(super) fn find<T>(
    what: &str,
    digits: &str,
    all: Vec<T>,
    id: impl Fn(&T) -> String,
    list: &str,
) -> Result<T, Failure> {
    let digits = digits.trim().to_ascii_lowercase();
    if digits.len() < DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let found =
            format!("found `{digits}` as {what}, expected at least {DIGITS} hexadecimal digits; `{list}` shows them");
        return Err(Failure::bad_input(found));
    }
    let mut fitting = all.into_iter().filter(|one| id(one).starts_with(&digits));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            Err(Failure::bad_input(format!("more than one {what} begins with `{digits}`; give more of it")))
        }
        (None, _) => Err(Failure::failed(format!("found no {what} that begins with `{digits}`; `{list}` shows them"))),
    }
}

/// The beginning of an id, enough to name it.
pub(super) fn short(id: &impl Display) -> String {
    id.to_string().chars().take(SHOWN).collect()
}

/// What stands in a table where there is nothing.
pub(super) fn or_nothing(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The words of a variant without content.
pub(super) fn name(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}
