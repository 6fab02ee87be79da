//! The list of ICE servers: URIs, and tables with the credentials of TURN servers.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::FILE_LIMIT;
use super::problem::excerpt;
use super::value::{Fault, Raw, list, unknown_keys};
use crate::ice_server::{Credential, Host, IceServer, IceUri, Scheme, USERNAME_LIMIT};

/// Entries of the list. Each may have an IPv4 and an IPv6 address, and a longer list delays every connection.
const LIMIT: usize = darkswap_webrtc::gather::MAX_SERVERS / 2;

/// What `darkswap config` shows in place of a credential.
const HIDDEN: &str = "(hidden)";

const URL: &str = "url";
const USERNAME: &str = "username";
const CREDENTIAL: &str = "credential";
const CREDENTIAL_FILE: &str = "credential_file";
const KEYS: [&str; 4] = [URL, USERNAME, CREDENTIAL, CREDENTIAL_FILE];

const TURN_EXAMPLE: &str =
    "`{ url = \"turn:turn.example.org\", username = \"alice\", credential_file = \"turn-credential\" }`";

/// A server as it is configured, where the credential may still be in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfiguredServer {
    /// Nothing is missing.
    Complete(IceServer),
    /// A TURN server whose credential is in a file of its own.
    CredentialInFile {
        /// Where the server is.
        host: Host,
        /// Its UDP port.
        port: u16,
        /// The user of the long-term credential.
        username: String,
        /// The file, which holds the credential and nothing else.
        file: PathBuf,
    },
}

impl ConfiguredServer {
    /// The server with its credential, for which `read` is asked when it is in a file.
    ///
    /// # Errors
    /// What `read` says.
    pub fn complete<E>(&self, read: impl FnOnce(&Path) -> Result<Credential, E>) -> Result<IceServer, E> {
        match self {
            Self::Complete(server) => Ok(server.clone()),
            Self::CredentialInFile { host, port, username, file } => Ok(IceServer::Turn {
                host: host.clone(),
                port: *port,
                username: username.clone(),
                credential: read(file)?,
            }),
        }
    }

    /// Whether it relays.
    #[must_use]
    pub fn is_turn(&self) -> bool {
        !matches!(self, Self::Complete(IceServer::Stun { .. }))
    }

    pub(super) fn complete_path(&mut self, folder: &Path) {
        if let Self::CredentialInFile { file, .. } = self {
            *file = folder.join(&*file);
        }
    }

    /// As TOML, without the credential.
    pub(super) fn show(&self) -> toml::Value {
        let table = |uri: IceUri, username: &str, key: &str, value: String| {
            let entries = [(URL, uri.to_string()), (USERNAME, username.to_owned()), (key, value)];
            toml::Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
        };
        match self {
            Self::Complete(server @ IceServer::Stun { .. }) => server.uri().to_string().into(),
            Self::Complete(server @ IceServer::Turn { username, .. }) => {
                table(server.uri(), username, CREDENTIAL, HIDDEN.to_owned())
            }
            Self::CredentialInFile { host, port, username, file } => {
                let uri = IceUri { scheme: Scheme::Turn, host: host.clone(), port: *port };
                table(uri, username, CREDENTIAL_FILE, file.to_string_lossy().into_owned())
            }
        }
    }
}

/// Reads the list. In the environment and in flags it is separated by commas, or written as in the file when it begins with `[`.
pub(super) fn read(raw: Raw<'_>) -> Result<Vec<ConfiguredServer>, Vec<Fault>> {
    match raw {
        Raw::Text(text) if text.trim_start().starts_with('[') => read_inline(raw, text),
        Raw::Text(_) | Raw::Toml(_) => list(raw, LIMIT, server),
    }
}

/// A list in TOML outside of a file: what is wrong has no place.
fn read_inline(raw: Raw<'_>, text: &str) -> Result<Vec<ConfiguredServer>, Vec<Fault>> {
    if text.len() > FILE_LIMIT {
        return Err(vec![raw.fault(format!("found {} bytes, expected at most {FILE_LIMIT}", text.len()))]);
    }
    let document = format!("list = {text}");
    let without_place = |faults: Vec<Fault>| faults.into_iter().map(|fault| raw.fault(fault.message)).collect();
    match DeTable::parse(&document) {
        Err(error) => Err(vec![raw.fault(format!("not TOML: {}", error.message()))]),
        Ok(document) => match document.get_ref().get("list") {
            Some(value) if document.get_ref().len() == 1 => read(Raw::Toml(value)).map_err(without_place),
            _ => Err(raw.unexpected("a list of servers")),
        },
    }
}

fn server(raw: Raw<'_>) -> Result<ConfiguredServer, Vec<Fault>> {
    if let Raw::Toml(value) = raw
        && let DeValue::Table(table) = value.get_ref()
    {
        return turn_server(value, table);
    }
    let text = raw.text().ok_or_else(|| raw.unexpected("a string or a table"))?;
    let IceUri { scheme, host, port } = uri(raw, text)?;
    match scheme {
        Scheme::Stun => Ok(ConfiguredServer::Complete(IceServer::Stun { host, port })),
        Scheme::Turn => {
            let message = format!("`{}` needs a user name and a credential, expected {TURN_EXAMPLE}", excerpt(text));
            Err(vec![raw.fault(message)])
        }
    }
}

fn turn_server(value: &Spanned<DeValue<'_>>, table: &DeTable<'_>) -> Result<ConfiguredServer, Vec<Fault>> {
    let raw = Raw::Toml(value);
    let mut faults = unknown_keys(table, &KEYS);
    let mut text = |key: &str| match table.get(key).map(Raw::Toml) {
        None => None,
        Some(raw) => {
            let text = raw.text();
            if text.is_none() {
                faults.extend(raw.unexpected("a string"));
            }
            text.map(|text| (raw, text))
        }
    };
    let (url, username, credential, file) = (text(URL), text(USERNAME), text(CREDENTIAL), text(CREDENTIAL_FILE));
    if !faults.is_empty() {
        return Err(faults);
    }
    let missing = |what: &str| vec![raw.fault(format!("found no `{what}`, expected for example {TURN_EXAMPLE}"))];
    let (at, url) = url.ok_or_else(|| missing(URL))?;
    let IceUri { scheme, host, port } = uri(at, url)?;
    if scheme == Scheme::Stun {
        return match username.or(credential).or(file) {
            None => Ok(ConfiguredServer::Complete(IceServer::Stun { host, port })),
            Some((at, _)) => Err(vec![at.fault("a `stun:` server takes no user name and no credential".to_owned())]),
        };
    }
    let (at, username) = username.ok_or_else(|| missing(USERNAME))?;
    if username.is_empty() || username.len() > USERNAME_LIMIT || username.chars().any(char::is_control) {
        let message = format!("found {} bytes, expected a user name of 1 to {USERNAME_LIMIT}", username.len());
        return Err(vec![at.fault(message)]);
    }
    let username = username.to_owned();
    match (credential, file) {
        (Some(_), Some((at, _))) => Err(vec![at.fault("found a second credential, expected one".to_owned())]),
        (None, None) => Err(missing(CREDENTIAL_FILE)),
        (Some((at, secret)), None) => {
            let credential = read_credential(secret).map_err(|message| vec![at.fault(message)])?;
            Ok(ConfiguredServer::Complete(IceServer::Turn { host, port, username, credential }))
        }
        (None, Some((at, file))) if file.is_empty() || file.contains('\0') => Err(at.unexpected("a path")),
        (None, Some((_, file))) => {
            Ok(ConfiguredServer::CredentialInFile { host, port, username, file: PathBuf::from(file) })
        }
    }
}

fn uri(raw: Raw<'_>, text: &str) -> Result<IceUri, Vec<Fault>> {
    text.parse().map_err(|error| vec![raw.fault(format!("`{}` is not a server: {error}", excerpt(text)))])
}

fn read_credential(text: &str) -> Result<Credential, String> {
    if text == HIDDEN {
        return Err(format!("found `{HIDDEN}`, which `darkswap config` prints in its place, expected the credential"));
    }
    Credential::new(text.to_owned()).map_err(|error| error.to_string())
}
