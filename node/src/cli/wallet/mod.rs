//! `darkswap wallet create`, `import`, `export-seed`, `descriptor`: what needs the wallet's files, but no running node.

mod arguments;
mod lock;
mod terminal;

use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use darkswap_node::TokioRuntime;
use darkswap_node::config_file::{Override, TradingSettings};
use darkswap_node::wallet_file::{self, Opener};
use darkswap_wallet::seed::MAX_WORDS_TEXT;
use darkswap_wallet::{Keychain, Seed};
use serde_json::json;
use zeroize::Zeroizing;

use super::arguments::Place;
use super::failure::Failure;
use super::{init, output, settings, trading};
use arguments::{Create, Descriptor, ExportSeed, Import};

pub(crate) use arguments::{OldLock, Wallet};
pub(crate) use lock::open;

/// Words in a line, for people who write them down.
const WORDS_PER_LINE: usize = 4;

pub(crate) fn wallet(place: &Place, command: &Wallet) -> Result<(), Failure> {
    match command {
        Wallet::Create(options) => create(place, options),
        Wallet::Import(options) => import(place, options),
        Wallet::ExportSeed(options) => export_seed(place, options),
        Wallet::Descriptor(options) => descriptor(place, options),
        Wallet::Running(command) => trading::wallet(place, command),
    }
}

fn create(place: &Place, options: &Create) -> Result<(), Failure> {
    let trading = settings::resolve(place, None)?.settings.trading;
    let seed = wallet_file::generate(&TokioRuntime);
    let opener = make(place, &trading, &seed, &options.lock)?;
    let words = seed.words();
    if options.shown.json {
        let mut made = report(&trading, &opener, &options.lock);
        made["words"] = words.as_str().into();
        return output::print_json(&made);
    }
    output::print(&format!(
        "{}\nThese {} words are the wallet. Write them down on paper, in this order, and keep them where nobody else finds them:\n\n\
         {}\n\
         Who has the words has the money. Who has neither them nor the wallet's file with what opens it has lost the money:\n\
         nobody can restore it.",
        made(&trading, &options.lock),
        words.split(' ').count(),
        numbered(&words).as_str(),
    ))
}

fn import(place: &Place, options: &Import) -> Result<(), Failure> {
    let trading = settings::resolve(place, None)?.settings.trading;
    lock::require_absent(&trading.wallet)?;
    let words = words(options.words_file.as_deref())?;
    let seed = Seed::from_words(&words).map_err(|error| Failure::bad_input(error.to_string()))?;
    let opener = make(place, &trading, &seed, &options.lock)?;
    if options.shown.json {
        return output::print_json(&report(&trading, &opener, &options.lock));
    }
    output::print(&format!(
        "{}\nThe node looks for the wallet's coins when it starts with trading.enabled.",
        made(&trading, &options.lock)
    ))
}

fn export_seed(place: &Place, options: &ExportSeed) -> Result<(), Failure> {
    let trading = settings::resolve(place, None)?.settings.trading;
    let words = open(&trading, &options.lock)?.words();
    if options.shown.json {
        return output::print_json(&json!({ "words": words.as_str() }));
    }
    output::print(&format!("{}\nWho has these words has the money.", numbered(&words).as_str()))
}

fn descriptor(place: &Place, options: &Descriptor) -> Result<(), Failure> {
    let network = options.network.iter().map(|network| Override {
        flag: "--network".to_owned(),
        name: "trading.network".to_owned(),
        value: network.clone(),
    });
    let trading = settings::resolve_with(place, network.collect())?.settings.trading;
    let seed = open(&trading, &options.lock)?;
    let wallet = darkswap_wallet::Wallet::create(&seed, trading.network);
    let wallet = wallet.context("cannot derive the descriptors")?;
    let (external, internal) = (wallet.descriptor(Keychain::External), wallet.descriptor(Keychain::Internal));
    if options.shown.json {
        let network = trading.network.to_string();
        return output::print_json(&json!({ "network": network, "external": external, "internal": internal }));
    }
    output::print(&format!("external  {external}\ninternal  {internal}"))
}

/// Makes the wallet's file, and its key file where one is asked for. The wallet must not be there yet: nothing is made before that is
/// known.
fn make(place: &Place, trading: &TradingSettings, seed: &Seed, lock: &arguments::NewLock) -> Result<Opener, Failure> {
    lock::require_absent(&trading.wallet)?;
    init::create_folder(&settings::folder(place)?)?;
    let opener = lock::new(trading, lock)?;
    wallet_file::create(&trading.wallet, seed, &opener)?;
    Ok(opener)
}

/// What was made, for people.
fn made(trading: &TradingSettings, lock: &arguments::NewLock) -> String {
    let mut text = format!("wallet    {} (made)\n", trading.wallet.display());
    if let Some(key) = &lock.new_key_file {
        text.push_str(&format!("key file  {} (made)\n", key.display()));
    }
    text
}

/// What was made, for scripts.
fn report(trading: &TradingSettings, opener: &Opener, lock: &arguments::NewLock) -> serde_json::Value {
    let locked_by = match opener {
        Opener::Passphrase(_) => "passphrase",
        Opener::Key(_) => "key_file",
    };
    let mut report = json!({ "wallet": trading.wallet.display().to_string(), "locked_by": locked_by });
    if let Some(key) = &lock.new_key_file {
        report["key_file"] = key.display().to_string().into();
    }
    report
}

fn words(file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    match file {
        None => terminal::ask("Words of the wallet: ", "--words-file"),
        Some(path) if path == Path::new("-") => {
            let mut text = Zeroizing::new(String::with_capacity(MAX_WORDS_TEXT + 1));
            let limit = MAX_WORDS_TEXT as u64 + 1;
            let read = io::stdin().lock().take(limit).read_to_string(&mut text);
            read.context("cannot read standard input").map_err(Failure::BadInput)?;
            Ok(text)
        }
        Some(path) => Ok(wallet_file::load_words(path)?),
    }
}

/// The words with their numbers, four in a line.
fn numbered(words: &str) -> Zeroizing<String> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut text = Zeroizing::new(String::with_capacity(MAX_WORDS_TEXT));
    for (index, word) in words.iter().enumerate() {
        let is_last = (index + 1) % WORDS_PER_LINE == 0 || index + 1 == words.len();
        let cell = if is_last { format!("{:>4} {word}\n", index + 1) } else { format!("{:>4} {word:<9}", index + 1) };
        text.push_str(&cell);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbered_in_lines_of_four() {
        let shown = numbered("abandon ability able about above");
        assert_eq!(shown.as_str(), "   1 abandon     2 ability     3 able        4 about\n   5 above\n");
    }
}
