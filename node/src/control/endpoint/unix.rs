//! A Unix domain socket with mode 0600.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::BindError;

/// A connection as the node sees it.
pub(crate) type ServerStream = UnixStream;

/// A connection as the client sees it.
pub(crate) type ClientStream = UnixStream;

#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Binds in a folder that nobody else can enter, sets the mode there and then moves the socket to its place: at no moment could
    /// another user connect, and what a crashed node left behind is replaced in one step.
    pub(super) fn bind(path: &Path) -> Result<Self, BindError> {
        let failed = |source| BindError::Io { path: path.to_owned(), source };
        if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(BindError::NotASocket(path.to_owned()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let private = tempfile::Builder::new()
            .prefix(".")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(folder)
            .map_err(failed)?;
        let hidden = private.path().join("s");
        let socket = UnixListener::bind(&hidden).map_err(|error| match error.kind() {
            // The standard library refuses what does not fit into `sockaddr_un`.
            io::ErrorKind::InvalidInput => BindError::TooLong(path.to_owned()),
            _ => failed(error),
        })?;
        fs::set_permissions(&hidden, Permissions::from_mode(0o600)).map_err(failed)?;
        fs::rename(&hidden, path).map_err(failed)?;
        Ok(Self { socket, path: path.to_owned() })
    }

    pub(super) async fn accept(&mut self) -> io::Result<ServerStream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

pub(super) async fn connect(path: &Path) -> io::Result<ClientStream> {
    UnixStream::connect(path).await
}
