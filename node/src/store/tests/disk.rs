//! A disk that remembers every operation, so that it can be had as it was after a crash behind any of them.

use super::*;

/// What tears: the pieces of a write that survive or get lost on their own.
const PIECE: usize = 4_096;

#[derive(Debug, Clone)]
enum Operation {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
    Acknowledged,
}

/// A crash, and what it leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crash {
    /// The operations before it.
    pub(crate) after: usize,
    /// Which pieces of what was not synchronised survive: none, or those that this seed draws, or with the largest one all.
    pub(crate) survivors: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    image: Vec<u8>,
    log: Vec<Operation>,
    full: bool,
}

/// Storage with a log.
#[derive(Debug, Default, Clone)]
pub(crate) struct Recorder(Arc<Mutex<State>>);

impl Recorder {
    pub(crate) fn storage(&self) -> Self {
        self.clone()
    }

    pub(crate) fn acknowledge(&self) {
        self.0.lock().unwrap().log.push(Operation::Acknowledged);
    }

    pub(crate) fn operations(&self) -> usize {
        self.0.lock().unwrap().log.len()
    }

    /// From now on it cannot grow.
    pub(crate) fn fill(&self) {
        self.0.lock().unwrap().full = true;
    }

    pub(crate) fn acknowledged_before(&self, operations: usize) -> usize {
        let state = self.0.lock().unwrap();
        state.log[..operations].iter().filter(|operation| matches!(operation, Operation::Acknowledged)).count()
    }

    /// What is on the disk after a crash.
    pub(crate) fn image(&self, crash: Crash) -> Image {
        let state = self.0.lock().unwrap();
        let log = &state.log[..crash.after];
        let synced = log.iter().rposition(|operation| matches!(operation, Operation::Sync)).map_or(0, |last| last + 1);
        let mut bytes = Vec::new();
        for operation in &log[..synced] {
            perform(&mut bytes, operation, |_| true);
        }
        let mut draw = crash.survivors.unwrap_or(0);
        for operation in &log[synced..] {
            perform(&mut bytes, operation, |_| match crash.survivors {
                None => false,
                Some(u64::MAX) => true,
                Some(_) => {
                    // SplitMix64.
                    draw = draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mixed = (draw ^ (draw >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    mixed.wrapping_mul(0x94d0_49bb_1331_11eb) >> 63 == 1
                }
            });
        }
        Image::from(bytes)
    }
}

fn perform(bytes: &mut Vec<u8>, operation: &Operation, mut survives: impl FnMut(usize) -> bool) {
    match operation {
        Operation::Write(offset, data) => {
            let mut start = usize::try_from(*offset).unwrap();
            let mut rest = data.as_slice();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(PIECE - start % PIECE));
                if survives(start) {
                    bytes.resize(bytes.len().max(start + piece.len()), 0);
                    bytes[start..start + piece.len()].copy_from_slice(piece);
                }
                start += piece.len();
                rest = after;
            }
        }
        Operation::Length(length) if survives(0) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        Operation::Length(_) | Operation::Sync | Operation::Acknowledged => {}
    }
}

impl StorageBackend for Recorder {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.lock().unwrap().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        read(&self.0.lock().unwrap().image, offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.operate(Operation::Length(len))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.operate(Operation::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.operate(Operation::Write(offset, data.to_vec()))
    }
}

impl Recorder {
    fn operate(&self, operation: Operation) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if let (true, Operation::Length(length)) = (state.full, &operation)
            && *length > state.image.len() as u64
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        perform(&mut state.image, &operation, |_| true);
        state.log.push(operation);
        Ok(())
    }
}

/// What a crash left.
#[derive(Debug, Default)]
pub(crate) struct Image(Mutex<Vec<u8>>);

impl Image {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

impl From<Vec<u8>> for Image {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Mutex::new(bytes))
    }
}

impl StorageBackend for Image {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        read(&self.0.lock().unwrap(), offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        perform(&mut self.0.lock().unwrap(), &Operation::Length(len), |_| true);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        perform(&mut self.0.lock().unwrap(), &Operation::Write(offset, data.to_vec()), |_| true);
        Ok(())
    }
}

fn read(bytes: &[u8], offset: u64, out: &mut [u8]) -> io::Result<()> {
    let start = usize::try_from(offset).map_err(io::Error::other)?;
    let end = start.checked_add(out.len()).filter(|end| *end <= bytes.len());
    out.copy_from_slice(&bytes[start.min(bytes.len())..end.ok_or(io::ErrorKind::UnexpectedEof)?]);
    Ok(())
}
