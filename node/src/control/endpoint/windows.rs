//! A named pipe whose name is derived from the socket's path.
//!
//! The default access list of a pipe lets only its owner, administrators and the system write to it, and remote clients are rejected, so
//! nobody else can give a command.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, PipeMode, ServerOptions};

use super::BindError;

/// A connection as the node sees it.
pub(crate) type ServerStream = NamedPipeServer;

/// A connection as the client sees it.
pub(crate) type ClientStream = NamedPipeClient;

/// All instances of the pipe are taken for a moment (`ERROR_PIPE_BUSY`).
const PIPE_BUSY: i32 = 231;

/// How often and how long a client waits for a free instance.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Listener {
    name: String,
    next: NamedPipeServer,
}

impl Listener {
    pub(super) fn bind(path: &Path) -> Result<Self, BindError> {
        let name = pipe_name(path);
        match instance(&name, true) {
            Ok(next) => Ok(Self { name, next }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(BindError::Taken(path.to_owned())),
            Err(source) => Err(BindError::Io { path: path.to_owned(), source }),
        }
    }

    pub(super) async fn accept(&mut self) -> io::Result<ServerStream> {
        self.next.connect().await?;
        let next = instance(&self.name, false)?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}

pub(super) async fn connect(path: &Path) -> io::Result<ClientStream> {
    let name = pipe_name(path);
    let mut tries = 0;
    loop {
        match ClientOptions::new().open(&name) {
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) && tries < BUSY_TRIES => {
                tries += 1;
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            opened => return opened,
        }
    }
}

fn instance(name: &str, first: bool) -> io::Result<NamedPipeServer> {
    ServerOptions::new().first_pipe_instance(first).reject_remote_clients(true).pipe_mode(PipeMode::Byte).create(name)
}

/// Node and client are the same program, so they agree on the hash.
fn pipe_name(path: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).hash(&mut hasher);
    format!(r"\\.\pipe\darkswap-{:016x}", hasher.finish())
}
