//! The protocol in which a relay of ours tells its load: asked by those who use it, or of its own when it is about to stop.
//!
//! | request | bytes | answer |
//! |---|---|---|
//! | a question | none | a [report](load_report): 12 bytes |
//! | a telling: the relay is about to stop | a report | none |
//!
//! A request is read to its end, of which the end of the stream tells, and never further than a byte beyond a report.

use std::io;
use std::time::Duration;

use darkswap_connectivity::relay::load_report::{self, LENGTH, LoadReport, Malformed};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{StreamProtocol, request_response};
use tokio::time::Instant;

/// The protocol's name and version.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/darkswap/relay/load/1");

/// What is asked, or told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// How busy the other side is.
    Question,
    /// How busy this side is, and when it stops.
    Telling(LoadReport),
}

/// What comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The answer to a question.
    Report {
        /// What the relay says.
        report: LoadReport,
        /// From the question to its answer; [`Duration::ZERO`] at the relay, which does not read it.
        round_trip: Duration,
    },
    /// A telling was taken.
    Taken,
}

impl Answer {
    /// The answer of a relay.
    pub(crate) fn of(report: LoadReport) -> Self {
        Self::Report { report, round_trip: Duration::ZERO }
    }
}

/// Reads and writes requests and answers. There is a fresh copy for each stream, which remembers when the question was sent.
///
/// A refused request is a request like any other: of requests that cannot be read the behaviour tells nobody.
#[derive(Debug, Clone, Default)]
pub(crate) struct Codec {
    asked: Option<Instant>,
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Result<Request, Malformed>;
    type Response = Answer;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        let bytes = read(io).await?;
        Ok(if bytes.is_empty() { Ok(Request::Question) } else { LoadReport::decode(&bytes).map(Request::Telling) })
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Answer>
    where
        T: AsyncRead + Unpin + Send,
    {
        let bytes = read(io).await?;
        let Some(asked) = self.asked else {
            return if bytes.is_empty() {
                Ok(Answer::Taken)
            } else {
                Err(invalid(Malformed::Length { found: bytes.len() }))
            };
        };
        // A relay that has nothing to tell ends the stream.
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let report = LoadReport::decode(&bytes).map_err(invalid)?;
        Ok(Answer::Report { report, round_trip: asked.elapsed() })
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Self::Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match request.map_err(|malformed| io::Error::new(io::ErrorKind::InvalidInput, malformed))? {
            Request::Question => {
                self.asked = Some(Instant::now());
                Ok(())
            }
            Request::Telling(report) => io.write_all(&report.encode()).await,
        }
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Answer) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match answer {
            Answer::Report { report, .. } => io.write_all(&report.encode()).await,
            Answer::Taken => Ok(()),
        }
    }
}

/// What stands in the stream, one byte more than a report has at most.
async fn read<T>(io: &mut T) -> io::Result<Vec<u8>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut bytes = [0; LENGTH + 1];
    let mut filled = 0;
    while filled < bytes.len() {
        match io.read(&mut bytes[filled..]).await? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(bytes[..filled].to_vec())
}

fn invalid(malformed: load_report::Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

#[cfg(test)]
mod tests {
    use darkswap_connectivity::relay::load_report::Share;
    use futures::executor::block_on;
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;
    use proptest::prelude::*;

    use super::*;

    fn request(bytes: &[u8]) -> Result<Request, Malformed> {
        block_on(Codec::default().read_request(&PROTOCOL, &mut Cursor::new(bytes))).unwrap()
    }

    fn answer(codec: &mut Codec, bytes: &[u8]) -> io::Result<Answer> {
        block_on(codec.read_response(&PROTOCOL, &mut Cursor::new(bytes)))
    }

    fn asked() -> Codec {
        let mut codec = Codec::default();
        block_on(codec.write_request(&PROTOCOL, &mut Cursor::new(Vec::new()), Ok(Request::Question))).unwrap();
        codec
    }

    #[test]
    fn a_question_is_nothing_and_its_answer_a_report() {
        assert_eq!(request(&[]), Ok(Request::Question));
        let report = LoadReport { circuits: Share::of(1, 2), ..LoadReport::default() };
        let Ok(Answer::Report { report: found, .. }) = answer(&mut asked(), &report.encode()) else { panic!() };
        assert_eq!(found, report);
    }

    #[test]
    fn a_telling_is_a_report_and_its_answer_nothing() {
        let report = LoadReport { drains_in: Some(60), ..LoadReport::default() };
        assert_eq!(request(&report.encode()), Ok(Request::Telling(report)));
        assert_eq!(answer(&mut Codec::default(), &[]).unwrap(), Answer::Taken);
        assert!(answer(&mut Codec::default(), &report.encode()).is_err());
    }

    #[test]
    fn a_relay_that_tells_nothing_or_too_much_is_found_out() {
        assert_eq!(answer(&mut asked(), &[]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let long = [&LoadReport::default().encode()[..], &[0]].concat();
        assert_eq!(answer(&mut asked(), &long).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(request(&long), Err(Malformed::Length { found: LENGTH + 1 }));
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn no_bytes_make_the_codec_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = request(&bytes);
            let _ = answer(&mut asked(), &bytes);
            let _ = answer(&mut Codec::default(), &bytes);
        }
    }
}
