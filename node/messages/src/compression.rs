//! Smaller bytes where that pays, and larger ones within bounds.
//!
//! A packed message is one byte of [form](Form) and the bytes. The compressed form is one zstd frame (RFC 8878) that says how long
//! its content is. Every message is a frame of its own, without a dictionary.

mod deflate;
mod inflate;

pub use self::deflate::{Compressor, Rule};
pub use self::inflate::{Bounds, InflateError, Inflater};

/// The level of zstd: its fastest. Higher ones gain little on messages of a few KiB.
pub const LEVEL: i32 = 1;

/// How a message is packed: its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    /// As it is.
    Plain = 0,
    /// One zstd frame.
    Zstd = 1,
}

/// As it is, with its form before it: what a peer reads that takes nothing compressed.
#[must_use]
pub fn plain(message: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(1 + message.len());
    packed.push(Form::Plain as u8);
    packed.extend_from_slice(message);
    packed
}
