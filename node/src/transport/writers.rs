//! Tasks that wait to write to one socket of the seam, which wakes one of them only.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::UdpSocket;

/// Tasks that wait until a shared socket can send again. The seam wakes one task; every connection waits for itself.
#[derive(Debug, Default)]
pub(super) struct Writers {
    waiting: Mutex<Vec<Waker>>,
}

impl Writers {
    /// Becomes ready when the socket is worth another try; `socket` is always the one that these tasks share.
    pub(super) fn poll_writable(
        self: &Arc<Self>,
        socket: &dyn UdpSocket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
        }
        socket.poll_writable(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }
}

impl Wake for Writers {
    fn wake(self: Arc<Self>) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }
}
