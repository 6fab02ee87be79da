//! `darkswap init`: an identity and a commented configuration file.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;
use darkswap_node::config_file::template;
use darkswap_node::{TokioRuntime, identity};

use super::arguments::Place;
use super::failure::Failure;
use super::output;
use super::settings::{self, FILE_NAME};

/// Makes what is missing. What exists is kept; when nothing is missing, that is a failure.
pub(crate) fn init(place: &Place) -> Result<(), Failure> {
    let folder = settings::folder(place)?;
    let config = place.config.clone().unwrap_or_else(|| folder.join(FILE_NAME));
    let has_config = config.try_exists().with_context(|| format!("cannot look for {}", config.display()))?;
    // An existing file may name another place for the identity.
    let path = if has_config { settings::resolve(place, None)?.settings.identity } else { folder.join("identity") };
    let has_identity = path.try_exists().with_context(|| format!("cannot look for {}", path.display()))?;
    if has_config && has_identity {
        let (path, config) = (path.display(), config.display());
        return Err(Failure::failed(format!("{path} and {config} exist already; nothing was changed")));
    }
    create_folder(&folder)?;
    let key = if has_identity {
        identity::load(&path)?
    } else {
        let key = identity::generate(&TokioRuntime);
        identity::create(&path, &key)?;
        key
    };
    if !has_config {
        write_new(&config)?;
    }
    let word = |existed| if existed { "kept" } else { "made" };
    output::print(&format!(
        "peer id        {}\nidentity       {} ({})\nconfiguration  {} ({})\n\nStart the node with: darkswap run",
        key.public().to_peer_id(),
        path.display(),
        word(has_identity),
        config.display(),
        word(has_config),
    ))
}

/// The folder holds a private key and a control socket, so others have no business in it.
fn create_folder(folder: &Path) -> Result<(), Failure> {
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
