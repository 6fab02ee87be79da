//! Bounded reading of lines.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that are asked of the socket at once.
const CHUNK: usize = 8 << 10;

/// Lines of at most a given length from a byte stream.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: BytesMut,
    /// How much of the buffer has been searched for an end of line.
    searched: usize,
    limit: usize,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end.
    Complete(Bytes),
    /// A line beyond the limit. Where it ends is not known, so nothing more can be read.
    TooLong,
    /// The other side closed.
    End,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self { reader, buffer: BytesMut::new(), searched: 0, limit }
    }

    /// The next line. Nothing is lost when the future is dropped. A last line without an end counts too.
    pub(super) async fn next(&mut self) -> io::Result<Line> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(self.searched + end + 1).freeze();
                self.searched = 0;
                line.truncate(line.len() - 1);
                return Ok(if line.len() > self.limit { Line::TooLong } else { Line::Complete(line) });
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > self.limit {
                return Ok(Line::TooLong);
            }
            self.buffer.reserve(CHUNK);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                self.searched = 0;
                let rest = self.buffer.split().freeze();
                return Ok(if rest.is_empty() { Line::End } else { Line::Complete(rest) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &[u8], limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(text, limit);
        let mut found = Vec::new();
        loop {
            match lines.next().await.unwrap() {
                Line::End => return found,
                Line::TooLong => {
                    found.push(Line::TooLong);
                    return found;
                }
                line => found.push(line),
            }
        }
    }

    fn complete(text: &'static str) -> Line {
        Line::Complete(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn lines_are_separated_and_the_last_needs_no_end() {
        assert_eq!(read(b"one\n\ntwo", 3).await, [complete("one"), complete(""), complete("two")]);
    }

    #[tokio::test]
    async fn a_line_beyond_the_limit_ends_the_reading() {
        assert_eq!(read(b"one\nfour\nfive\n", 3).await, [complete("one"), Line::TooLong]);
        let endless = vec![b'x'; 1 << 20];
        assert_eq!(read(&endless, 1_000).await, [Line::TooLong]);
    }
}
