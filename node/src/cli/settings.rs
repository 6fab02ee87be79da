//! Where the configuration comes from: folder, file, environment, flags.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use darkswap_node::config_file::{self, FILE_LIMIT, Override, Resolved, Settings, Sources};
use darkswap_node::ice_server::{CREDENTIAL_LIMIT, Credential, IceServer};
use etcetera::BaseStrategy as _;

use super::arguments::{Overrides, Place};
use super::failure::Failure;

/// The configuration file's name in the node's folder.
pub(crate) const FILE_NAME: &str = "darkswap.toml";

/// The node's folder: given, or in the user's data folder (XDG on Unix).
pub(crate) fn folder(place: &Place) -> Result<PathBuf, Failure> {
    if let Some(folder) = &place.dir {
        return Ok(folder.clone());
    }
    let user = etcetera::choose_base_strategy().map_err(|error| {
        Failure::bad_input(format!("there is no home folder ({error}): give --dir or set DARKSWAP_DIR"))
    })?;
    Ok(user.data_dir().join("darkswap"))
}

/// The resolved settings of a node.
pub(crate) fn resolve(place: &Place, overrides: Option<&Overrides>) -> Result<Resolved, Failure> {
    resolve_with(place, overrides.map(flags).transpose()?.unwrap_or_default())
}

/// The resolved settings of a node, some of them set by flags.
pub(crate) fn resolve_with(place: &Place, flags: Vec<Override>) -> Result<Resolved, Failure> {
    let folder = folder(place)?;
    let sources = Sources {
        file: file(place, &folder)?,
        environment: std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with("DARKSWAP_"))
            .collect(),
        flags,
        folder,
    };
    Ok(config_file::resolve(&sources)?)
}

/// The ICE servers with their credentials.
pub(crate) fn ice_servers(settings: &Settings) -> Result<Vec<IceServer>, Failure> {
    settings.ice_servers.iter().map(|server| server.complete(read_credential)).collect()
}

/// A file with a credential and nothing else, but for the end of the line.
fn read_credential(path: &Path) -> Result<Credential, Failure> {
    let name = path.display();
    let mut text = String::new();
    let limit = CREDENTIAL_LIMIT as u64 + 3;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_string(&mut text))
        .with_context(|| format!("cannot read the credential file {name}"))
        .map_err(Failure::BadInput)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let secret = line.strip_suffix('\r').unwrap_or(line).to_owned();
    Credential::new(secret).map_err(|error| Failure::bad_input(format!("{name}: {error}")))
}

/// Name and content of the configuration file. Only a file that was asked for has to exist.
fn file(place: &Place, folder: &Path) -> Result<Option<(String, String)>, Failure> {
    let path = place.config.clone().unwrap_or_else(|| folder.join(FILE_NAME));
    let name = path.display().to_string();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && place.config.is_none() => return Ok(None),
        Err(error) => {
            let error = anyhow::Error::from(error).context(format!("cannot open the configuration file {name}"));
            return Err(Failure::BadInput(error));
        }
    };
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a file that is too long is noticed.
    file.take(FILE_LIMIT as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the configuration file {name}"))
        .map_err(Failure::BadInput)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some((name, text))),
        Err(error) => {
            let whole = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = whole.iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(Failure::bad_input(format!("{name}:{line}: found bytes that are not UTF-8 text, expected TOML")))
        }
    }
}

fn flags(overrides: &Overrides) -> Result<Vec<Override>, Failure> {
    let mut flags = Vec::new();
    let mut add = |flag: &str, name: &str, value: &str| {
        flags.push(Override { flag: flag.to_owned(), name: name.to_owned(), value: value.to_owned() });
    };
    for set in &overrides.set {
        let (name, value) = set
            .split_once('=')
            .ok_or_else(|| Failure::bad_input(format!("found `--set {set}`, expected `--set TABLE.KEY=VALUE`")))?;
        add("--set", name.trim(), value);
    }
    if !overrides.listen.is_empty() {
        add("--listen", "node.listen", &overrides.listen.join(","));
    }
    if !overrides.relay.is_empty() {
        add("--relay", "relay.relays", &overrides.relay.join(","));
    }
    if overrides.relay_server {
        add("--relay-server", "relay.server", "true");
    }
    Ok(flags)
}
