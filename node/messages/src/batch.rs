//! Several small messages in one: who waits for whom, and the bytes.
//!
//! A batch is a list of items, each with its length before it as an unsigned varint (multiformats' unsigned-varint, as everywhere
//! in libp2p: at most nine bytes, no leading zeros). A batch is never empty.

mod batcher;
mod bytes;

pub use self::batcher::{Batcher, Input, Item, Limits, Output};
pub use self::bytes::{BatchError, Bounds, decode, encode, encoded_length};
