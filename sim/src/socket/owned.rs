//! A value of turmoil-net's that belongs to a host.

use std::fmt;
use std::io;

use super::Owner;

/// Something that may only be used, and dropped, while its host is the current one.
pub(super) struct Owned<S> {
    owner: Owner,
    inner: Option<S>,
}

impl<S> Owned<S> {
    pub(super) const fn new(owner: Owner, inner: S) -> Self {
        Self { owner, inner: Some(inner) }
    }

    pub(super) const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The value, with its host made current.
    ///
    /// # Errors
    /// The simulation is over.
    pub(super) fn enter(&self) -> io::Result<&S> {
        self.owner.enter()?;
        self.inner.as_ref().ok_or_else(taken)
    }

    /// The value for changing, with its host made current.
    ///
    /// # Errors
    /// The simulation is over.
    pub(super) fn enter_mut(&mut self) -> io::Result<&mut S> {
        self.owner.enter()?;
        self.inner.as_mut().ok_or_else(taken)
    }
}

impl<S> Drop for Owned<S> {
    fn drop(&mut self) {
        let inner = self.inner.take();
        if self.owner.enter().is_ok() {
            drop(inner);
            self.owner.signal().host_may_have_sent();
        } else {
            // Without its network the value cannot be closed, and closing it in another network would close another socket.
            std::mem::forget(inner);
        }
    }
}

impl<S> fmt::Debug for Owned<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.owner.fmt(f)
    }
}

fn taken() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
