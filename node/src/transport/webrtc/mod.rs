//! WebRTC for libp2p, over the seam's UDP.
//!
//! The protocols are pure and in `darkswap_webrtc`; here is what moves their datagrams, keeps their time and gives libp2p a muxer.
//!
//! | module | what it is |
//! |---|---|
//! | `direct` | the transport webrtc-direct: a public server, and whoever dials it |
//! | `endpoint`, `inbox` | the socket that a server's connections share |
//! | `port`, `timer` | a connection's sockets and its clock |
//! | `driver`, `driven`, `state`, `shared` | the task of a connection, and what it shares with those who use the connection |
//! | `muxer`, `stream`, `substream` | a connection as libp2p sees it |
//! | `data_channel`, `labelled`, `registry` | data channels of applications on the same connections |
//! | `noise` | the proof of identity of webrtc-direct |
//! | `signalled` | the transport `/webrtc`: negotiated between two peers behind NATs |
//! | `signalling` | the behaviour that carries its offers, answers and candidates |
//!
//! Every connection has a task of its own, so that the swarm's loop handles no datagram. The lock of its state is held for one step
//! at a time. Nothing keeps a connection open but its [`Muxer`].

pub mod data_channel;
pub mod direct;
mod driven;
mod driver;
mod end;
mod endpoint;
mod inbox;
mod labelled;
mod muxer;
mod noise;
mod port;
mod registry;
mod shared;
mod signal;
pub mod signalled;
pub mod signalling;
mod state;
mod stream;
mod substream;
mod timer;

pub(in crate::transport) use driven::{Control, Driven};
pub use end::End;
pub use muxer::Muxer;
pub(in crate::transport) use port::Port;
pub use registry::DataChannels;
pub(in crate::transport) use signal::Signal;
pub use substream::Substream;
