//! `darkswap init`: an identity, a certificate and a commented configuration file.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;
use darkswap_node::certificate_file::Provenance;
use darkswap_node::config_file::{Settings, template};
use darkswap_node::{TokioRuntime, certificate_file, identity};

use super::arguments::Place;
use super::failure::Failure;
use super::output;
use super::settings::{self, FILE_NAME};

/// Makes what is missing. What exists is kept; when nothing is missing, that is a failure.
pub(crate) fn init(place: &Place) -> Result<(), Failure> {
    let folder = settings::folder(place)?;
    let config = place.config.clone().unwrap_or_else(|| folder.join(FILE_NAME));
    let has_config = exists(&config)?;
    // An existing file may name other places, and may have no use for a certificate.
    let (path, certificate) = if has_config {
        let settings = settings::resolve(place, None)?.settings;
        (settings.identity, settings.node.webrtc.enabled.then_some(settings.certificate))
    } else {
        let defaults = Settings::default();
        (folder.join(defaults.identity), Some(folder.join(defaults.certificate)))
    };
    let has_identity = exists(&path)?;
    if has_config && has_identity && certificate.as_deref().map_or(Ok(true), exists)? {
        let files: Vec<String> = [Some(&path), certificate.as_ref(), Some(&config)]
            .into_iter()
            .flatten()
            .map(|file| file.display().to_string())
            .collect();
        return Err(Failure::failed(format!("{} exist already; nothing was changed", files.join(", "))));
    }
    create_folder(&folder)?;
    let key = if has_identity {
        identity::load(&path)?
    } else {
        let key = identity::generate(&TokioRuntime);
        identity::create(&path, &key)?;
        key
    };
    let mut report = format!("peer id        {}\n", key.public().to_peer_id());
    let mut tell = |what: &str, file: &Path, kept: bool| {
        report.push_str(&format!("{what:<13}  {} ({})\n", file.display(), if kept { "kept" } else { "made" }));
    };
    tell("identity", &path, has_identity);
    if let Some(certificate) = certificate {
        let (_, provenance) = certificate_file::load_or_create(&certificate)?;
        tell("certificate", &certificate, provenance == Provenance::Kept);
    }
    if !has_config {
        write_new(&config)?;
    }
    tell("configuration", &config, has_config);
    output::print(&format!("{report}\nStart the node with: darkswap run"))
}

fn exists(path: &Path) -> Result<bool, Failure> {
    Ok(path.try_exists().with_context(|| format!("cannot look for {}", path.display()))?)
}

/// The folder holds a private key and a control socket, so others have no business in it.
pub(crate) fn create_folder(folder: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    Ok(builder.create(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?)
}

fn write_new(path: &Path) -> Result<(), Failure> {
    let mut file = match fs::File::create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::failed(format!("{} exists already and is never overwritten", path.display())));
        }
        created => created.with_context(|| format!("cannot create {}", path.display()))?,
    };
    Ok(file.write_all(template().as_bytes()).with_context(|| format!("cannot write {}", path.display()))?)
}
