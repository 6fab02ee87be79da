//! As much of HTTP/1.1 as a client of `bitcoind` needs (RFC 9112): requests with a body of announced length, one after the other.

use darkswap_chain::MAX_BODY;

/// Bytes of a request line and its headers.
const MAX_HEAD: usize = 16 << 10;
/// Headers of a request.
const MAX_HEADERS: usize = 32;

/// A whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) authorization: Option<String>,
    /// Whether the client wants to ask more on this connection.
    pub(super) keep_alive: bool,
    pub(super) body: Vec<u8>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    Malformed,
    Unauthorized,
    Method,
    LengthRequired,
    TooLarge,
}

/// The bytes of a connection that were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Parser {
    received: Vec<u8>,
}

impl Problem {
    /// The status line's code and reason (RFC 9110, section 15).
    pub(super) const fn status(self) -> &'static str {
        match self {
            Self::Malformed => "400 Bad Request",
            Self::Unauthorized => "401 Unauthorized",
            Self::Method => "405 Method Not Allowed",
            Self::LengthRequired => "411 Length Required",
            Self::TooLarge => "413 Content Too Large",
        }
    }
}

impl Parser {
    /// Takes bytes from the connection. Call [`Self::next_request`] until it has no more before the next ones.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// The next request, if all of it is there. After a problem the connection is of no use.
    pub(super) fn next_request(&mut self) -> Result<Option<Request>, Problem> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut headers);
        let start = match head.parse(&self.received) {
            Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
            Ok(httparse::Status::Complete(_)) => return Err(Problem::TooLarge),
            Ok(httparse::Status::Partial) if self.received.len() > MAX_HEAD => return Err(Problem::TooLarge),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Problem::Malformed),
        };
        if head.method != Some("POST") {
            return Err(Problem::Method);
        }
        let header = |name: &str| {
            let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| std::str::from_utf8(header.value).map_err(|_| Problem::Malformed)).transpose()
        };
        let length = header("content-length")?.ok_or(Problem::LengthRequired)?;
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length: usize = length.parse().ok().filter(|_| digits).ok_or(Problem::Malformed)?;
        if length > MAX_BODY {
            return Err(Problem::TooLarge);
        }
        let end = start + length;
        if self.received.len() < end {
            return Ok(None);
        }
        let keep_alive = match header("connection")? {
            Some(wish) => !wish.eq_ignore_ascii_case("close"),
            None => head.version == Some(1),
        };
        let authorization = header("authorization")?.map(str::to_owned);
        let body = self.received[start..end].to_vec();
        self.received.drain(..end);
        Ok(Some(Request { authorization, keep_alive, body }))
    }
}

/// A response with a body.
pub(super) fn response(status: &str, body: &str) -> String {
    let kind = "Content-Type: application/json";
    format!("HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUEST: &str = "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic eA==\r\ncontent-length: 2\r\n\r\n{}";

    fn parse(bytes: &[u8]) -> Result<Option<Request>, Problem> {
        let mut parser = Parser::default();
        parser.receive(bytes);
        parser.next_request()
    }

    #[test]
    fn requests_come_one_after_the_other_and_in_pieces() {
        let mut parser = Parser::default();
        let both = [REQUEST, REQUEST].concat();
        for byte in both.as_bytes()[..both.len() - 1].iter().take(REQUEST.len() - 1) {
            parser.receive(&[*byte]);
            assert_eq!(parser.next_request(), Ok(None));
        }
        parser.receive(&both.as_bytes()[REQUEST.len() - 1..]);
        let expected = Request { authorization: Some("Basic eA==".into()), keep_alive: true, body: b"{}".to_vec() };
        assert_eq!(parser.next_request(), Ok(Some(expected.clone())));
        assert_eq!(parser.next_request(), Ok(Some(expected)));
        assert_eq!(parser.next_request(), Ok(None));
    }

    #[test]
    fn what_breaks_a_bound_is_refused() {
        assert_eq!(parse(REQUEST.replace("POST", "GET").as_bytes()), Err(Problem::Method));
        assert_eq!(parse(REQUEST.replace("content-length: 2\r\n", "").as_bytes()), Err(Problem::LengthRequired));
        assert_eq!(parse(REQUEST.replace(": 2", ": -2").as_bytes()), Err(Problem::Malformed));
        assert_eq!(parse(REQUEST.replace(": 2", ": 99999999").as_bytes()), Err(Problem::TooLarge));
        assert_eq!(parse(&[b"POST / HTTP/1.1\r\na: ".as_slice(), &[b'a'; MAX_HEAD]].concat()), Err(Problem::TooLarge));
        let many = format!("POST / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(parse(many.as_bytes()), Err(Problem::Malformed));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let _ = parse(&[REQUEST.as_bytes(), &bytes].concat()).unwrap();
        }
    }
}
