//! A records file as values, refused when it is of another version.

use std::io::BufRead;

use serde::Deserialize;

use crate::record::{Record, VERSION};

/// Longest line. The longest real one is the first, with every host of the run at about 200 bytes each.
pub const MAX_LINE: usize = 4 << 20;
/// Most records of one file: at some 200 bytes each they fit into the memory of a small machine.
pub const MAX_RECORDS: usize = 5_000_000;

/// Why a records file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ReadError {
    /// One-based line.
    pub line: usize,
    /// What was wrong with it.
    pub kind: ReadErrorKind,
}

/// What was wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum ReadErrorKind {
    /// Nothing there.
    #[error("the file is empty, expected a `run` record")]
    Empty,
    /// The first record is not [`Record::Run`].
    #[error("the first record is not `run`")]
    NoRun,
    /// A second [`Record::Run`]: two files were joined.
    #[error("a second `run` record: records of different runs belong in different files")]
    SecondRun,
    /// Written by another version.
    #[error(
        "record format {found}, expected {VERSION}; run the scenario again or use the matching version of the reports"
    )]
    Version {
        /// The version found.
        found: u64,
    },
    /// Longer than [`MAX_LINE`].
    #[error("longer than {MAX_LINE} bytes")]
    TooLong,
    /// More than [`MAX_RECORDS`].
    #[error("more than {MAX_RECORDS} records")]
    TooMany,
    /// Not a record.
    #[error("not a record: {0}")]
    Json(#[from] serde_json::Error),
    /// The reader failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads every record.
///
/// A last line without its newline that is no record is left out: the worker died while writing it, and the absence of
/// [`Record::End`] says so already.
///
/// # Errors
/// The first line that is not what the format promises; see [`ReadErrorKind`].
pub fn read(mut reader: impl BufRead) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        let at = |kind| ReadError { line: number, kind };
        let Some(complete) = next_line(&mut reader, &mut line).map_err(at)? else { break };
        let record = match parse(&line, records.is_empty()) {
            Err(ReadErrorKind::Json(_)) if !complete && !records.is_empty() => break,
            result => result.map_err(at)?,
        };
        if records.len() == MAX_RECORDS {
            return Err(at(ReadErrorKind::TooMany));
        }
        records.push(record);
    }
    if records.is_empty() {
        return Err(ReadError { line: 1, kind: ReadErrorKind::Empty });
    }
    Ok(records)
}

/// Reads one line without its newline; tells whether it had one. None at the end of the input.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<Option<bool>, ReadErrorKind> {
    line.clear();
    let limit = MAX_LINE as u64 + 1;
    let length = std::io::Read::take(&mut *reader, limit).read_until(b'\n', line)?;
    let complete = line.last() == Some(&b'\n');
    match length {
        0 => Ok(None),
        _ if !complete && line.len() > MAX_LINE => Err(ReadErrorKind::TooLong),
        _ => {
            if complete {
                line.pop();
            }
            Ok(Some(complete))
        }
    }
}

fn parse(line: &[u8], first: bool) -> Result<Record, ReadErrorKind> {
    if first {
        // Another version may have other fields, so look at the version before anything else.
        let head: Head = serde_json::from_slice(line)?;
        match head.version {
            _ if head.record != "run" => return Err(ReadErrorKind::NoRun),
            Some(found) if found != u64::from(VERSION) => return Err(ReadErrorKind::Version { found }),
            Some(_) | None => {}
        }
    }
    match serde_json::from_slice(line)? {
        Record::Run(_) if !first => Err(ReadErrorKind::SecondRun),
        record => Ok(record),
    }
}

/// What is common to the first line of every version.
#[derive(Deserialize)]
struct Head {
    record: String,
    version: Option<u64>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUN: &str =
        r#"{"record":"run","version":1,"scenario":"a","title":"","about":"","seed":1,"commit":"c","hosts":[]}"#;
    const SAMPLE: &str = r#"{"record":"sample","at_us":5,"figure":"dial","value":1.0,"category":"failed"}"#;

    fn kind(text: &str) -> (usize, ReadErrorKind) {
        let error = read(text.as_bytes()).unwrap_err();
        (error.line, error.kind)
    }

    #[test]
    fn a_file_of_records_is_read() {
        let records = read(format!("{RUN}\n{SAMPLE}\n").as_bytes()).unwrap();
        assert!(matches!(records.as_slice(), [Record::Run(_), Record::Sample(_)]));
    }

    #[test]
    fn half_a_last_line_is_left_out() {
        assert_eq!(read(format!("{RUN}\n{SAMPLE}\n{{\"record\":\"sam").as_bytes()).unwrap().len(), 2);
        assert!(matches!(kind(&format!("{RUN}\n{{\"record\":\"sam\n")), (2, ReadErrorKind::Json(_))));
    }

    #[test]
    fn another_version_is_refused_whatever_its_fields() {
        assert!(matches!(kind(r#"{"record":"run","version":2,"new":[]}"#), (1, ReadErrorKind::Version { found: 2 })));
    }

    #[test]
    fn the_first_record_is_the_run_and_there_is_one() {
        assert!(matches!(kind(""), (1, ReadErrorKind::Empty)));
        assert!(matches!(kind(SAMPLE), (1, ReadErrorKind::NoRun)));
        assert!(matches!(kind(&format!("{RUN}\n{RUN}\n")), (2, ReadErrorKind::SecondRun)));
    }

    #[test]
    fn an_endless_line_is_refused() {
        assert!(matches!(kind(&format!("{RUN}\n{}", "x".repeat(MAX_LINE + 2))), (2, ReadErrorKind::TooLong)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(bytes.as_slice());
            let _ = read([RUN.as_bytes(), b"\n", &bytes].concat().as_slice());
        }

        #[test]
        fn a_cut_or_flipped_file_never_panics(at in 0_usize..200, byte in any::<u8>()) {
            let mut bytes = format!("{RUN}\n{SAMPLE}\n{SAMPLE}\n").into_bytes();
            let at = at % bytes.len();
            let _ = read(&bytes[..at]);
            bytes[at] = byte;
            let _ = read(bytes.as_slice());
        }

        #[test]
        fn a_sample_is_read_as_it_was_written(value in -1e300..1e300_f64, at_us in any::<u64>(), tag in ".{0,20}") {
            let sample = Record::Sample(crate::record::Sample {
                at_us, figure: "round_trip".into(), value, category: None, tags: [("from".to_string(), tag)].into(),
            });
            let text = format!("{RUN}\n{}\n", serde_json::to_string(&sample).unwrap());
            prop_assert_eq!(&read(text.as_bytes()).unwrap()[1], &sample);
        }
    }
}
