//! Datagrams of one connection that arrived at a listener's shared socket and wait for the connection's driver.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A bounded queue of datagrams from one task to another. What does not fit is lost, as in a full socket buffer.
#[derive(Debug)]
pub(super) struct Inbox(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    datagrams: VecDeque<(SocketAddr, Box<[u8]>)>,
    bytes: usize,
    bound: usize,
    open: bool,
    reader: Option<Waker>,
}

/// What a queued datagram costs besides its payload, so that empty ones are bounded too.
const OVERHEAD: usize = 64;

impl Inbox {
    /// An empty inbox for at most `bound` bytes.
    pub(super) fn new(bound: usize) -> Self {
        Self(Mutex::new(Queue { datagrams: VecDeque::new(), bytes: 0, bound, open: true, reader: None }))
    }

    /// Raises or lowers the bound for what comes from now on.
    pub(super) fn set_bound(&self, bound: usize) {
        self.lock().bound = bound;
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Adds a datagram; `false` when it was lost.
    pub(super) fn push(&self, remote: SocketAddr, payload: &[u8]) -> bool {
        let reader = {
            let mut queue = self.lock();
            if !queue.open || queue.bytes + payload.len() + OVERHEAD > queue.bound {
                return false;
            }
            queue.bytes += payload.len() + OVERHEAD;
            queue.datagrams.push_back((remote, payload.into()));
            queue.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }

    /// Nothing will come any more.
    pub(super) fn close(&self) {
        let reader = {
            let mut queue = self.lock();
            queue.open = false;
            queue.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Takes the oldest datagram, cut to the buffer's length; `None` when the inbox is closed and empty.
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Option<(usize, SocketAddr)>> {
        let mut queue = self.lock();
        match queue.datagrams.pop_front() {
            Some((remote, payload)) => {
                queue.bytes -= payload.len() + OVERHEAD;
                let length = payload.len().min(buffer.len());
                buffer[..length].copy_from_slice(&payload[..length]);
                Poll::Ready(Some((length, remote)))
            }
            None if queue.open => {
                queue.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(inbox: &Inbox) -> Poll<Option<(usize, SocketAddr)>> {
        inbox.poll_recv(&mut Context::from_waker(Waker::noop()), &mut [0; 100])
    }

    fn remote() -> SocketAddr {
        "10.0.0.1:7".parse().unwrap()
    }

    #[test]
    fn datagrams_come_out_in_order_and_the_end_after_them() {
        let inbox = Inbox::new(1_000);
        assert!(inbox.push(remote(), &[1; 10]) && inbox.push(remote(), &[]));
        inbox.close();
        assert!(!inbox.push(remote(), &[1]));
        assert_eq!(receive(&inbox), Poll::Ready(Some((10, remote()))));
        assert_eq!(receive(&inbox), Poll::Ready(Some((0, remote()))));
        assert_eq!(receive(&inbox), Poll::Ready(None));
    }

    #[test]
    fn a_flood_of_empty_datagrams_is_bounded_and_room_comes_back() {
        let inbox = Inbox::new(10 * OVERHEAD);
        assert_eq!((0..1_000).filter(|_| inbox.push(remote(), &[])).count(), 10);
        assert!(receive(&inbox).is_ready());
        assert!(inbox.push(remote(), &[]) && !inbox.push(remote(), &[]));
    }
}
