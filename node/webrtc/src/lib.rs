//! WebRTC for libp2p without I/O.
//!
//! Everything here is a state machine over the sans-I/O crate `rtc`: datagrams and time go in, datagrams, deadlines and events
//! come out. Sockets, tasks and libp2p's traits are in the node (`transport/webrtc`).
//!
//! | module | what it is | specification |
//! |---|---|---|
//! | `certificate` | the DTLS certificate and its fingerprint | RFC 8122, multihash |
//! | `connection` | one peer connection: ICE, DTLS, SCTP and its channels | RFC 8445, 8831, 8832 |
//! | `channel` | what a data channel promises, and the scheduler of their priorities | RFC 8831, RFC 8832 |
//! | `frame`, `substream` | libp2p substreams over data channels | libp2p WebRTC, "Multiplexing" |
//! | `gather` | server-reflexive and relayed candidates from STUN and TURN servers | RFC 8489, RFC 8656 |
//! | `agent` | a connection together with its gatherer | |
//! | `mux` | which connection a datagram of a shared socket belongs to | libp2p webrtc-direct |
//! | `sdp` | the descriptions that both ends of webrtc-direct infer | libp2p webrtc-direct |
//! | `signalling` | the messages of `/webrtc-signaling/0.0.1` | libp2p WebRTC |

pub mod agent;
pub mod certificate;
pub mod channel;
pub mod connection;
pub mod frame;
pub mod gather;
pub mod mux;
pub mod sdp;
pub mod signalling;
pub mod substream;
