//! The local socket (Unix) or named pipe (Windows) that only the node's own user can open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
#[path = "endpoint/unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "endpoint/windows.rs"]
mod platform;

pub(super) use platform::{ClientStream, ServerStream};

/// A listening endpoint. While it exists, no other node can listen on the same path.
#[derive(Debug)]
pub(super) struct Endpoint {
    listener: platform::Listener,
    /// Held until the listener is gone.
    _lock: File,
}

/// Why an endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("another node is running with the control socket {}", .0.display())]
    Taken(PathBuf),
    /// The path is in use for something else.
    #[error("cannot open the control socket {}: there is a file that is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The path is longer than the host allows.
    #[error("cannot open the control socket {}: the host allows no path of this length; set a shorter control.socket", .0.display())]
    TooLong(PathBuf),
    /// The host's error.
    #[error("cannot open the control socket {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// The host's error.
        source: io::Error,
    },
}

impl Endpoint {
    /// Opens the endpoint. What a crashed node left behind is replaced.
    pub(super) fn bind(path: &Path) -> Result<Self, BindError> {
        let lock = lock(path)?;
        Ok(Self { listener: platform::Listener::bind(path)?, _lock: lock })
    }

    /// Waits for a client.
    pub(super) async fn accept(&mut self) -> io::Result<ServerStream> {
        self.listener.accept().await
    }
}

/// Connects to a running node.
pub(super) async fn connect(path: &Path) -> io::Result<ClientStream> {
    platform::connect(path).await
}

/// Takes the lock beside the socket. The host releases it when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, BindError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |source| BindError::Io { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(PathBuf::from(name)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BindError::Taken(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
