//! Sockets of a simulated host.
//!
//! turmoil-net keeps the current host in a thread local, and a socket is a number in the current host's table: an operation, or a
//! drop, with another host current acts on another host's socket. Here every socket owns its host (`owned`) and makes it current
//! before each operation and before it is dropped. A socket that outlives its simulation does nothing and is never closed.

mod owned;
mod owner;
mod tcp_connect;
mod tcp_listener;
mod tcp_stream;
mod udp;

pub(crate) use owner::{Entered, Owner};
pub(crate) use tcp_connect::connect;
pub(crate) use tcp_listener::SimTcpListener;
pub(crate) use tcp_stream::RECEIVE_BUFFER;
pub(crate) use udp::SimUdpSocket;
