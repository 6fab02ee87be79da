//! Headers on the disk, so that a restart fetches only new ones.
//!
//! ```text
//! "dsheads1"  the network's magic  height of the first header (little endian)  headers of 80 bytes each
//! 8 bytes     4 bytes              4 bytes
//! ```
//! Nothing in the file is believed: what is read is checked as if a server had sent it, and the rest is dropped and fetched again. So
//! it needs no checksum and no transaction, and a crash at any moment costs a few questions. A file that is something else is left
//! alone.

use std::fmt;
use std::io;
use std::ops::Bound;

use bitcoin::Network;
use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use redb::{BackendError, StorageBackend};
use thiserror::Error;

use super::headers::{Headers, MAX_HEADERS};

/// What the file begins with.
const MAGIC: [u8; 8] = *b"dsheads1";

/// Bytes before the first header.
const START: u64 = 16;

/// Bytes of a header.
const SIZE: u64 = 80;

/// Headers read or written at once.
const PIECE: usize = 2_016;

/// Why headers are not kept on the disk.
#[derive(Debug, Error)]
pub(super) enum HeaderFileError {
    /// Somebody else has it open.
    #[error("the file of headers is open in another process; stop that one first (`darkswap stop`)")]
    InUse,
    /// It is not ours.
    #[error("found a file that begins with {0:02x?}, expected one of headers; move it away")]
    Foreign([u8; 8]),
    /// The host's error.
    #[error("the file of headers cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// The file.
pub(super) struct HeaderFile {
    storage: Box<dyn StorageBackend>,
    network: [u8; 4],
    /// The height of the first header in it, once there is one.
    base: Option<u32>,
}

impl HeaderFile {
    /// Takes a file, and what is in it that holds. `headers` have to be empty.
    pub(super) fn open(
        storage: Box<dyn StorageBackend>,
        network: Network,
        headers: &mut Headers,
    ) -> Result<Self, HeaderFileError> {
        match storage.try_lock_range(Bound::Unbounded, Bound::Unbounded) {
            Ok(true) | Err(BackendError::Unsupported) => {}
            Ok(false) => return Err(HeaderFileError::InUse),
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let mut file = Self { storage, network: network.magic().to_bytes(), base: None };
        if let Some(base) = file.first_height()? {
            file.take(base, headers)?;
            file.base = Some(headers.base()).filter(|held| *held == base && headers.tip().is_some());
        }
        if file.base.is_some() {
            // What is in the file needs no writing.
            let _ = headers.take_changes();
        }
        Ok(file)
    }

    /// Writes what changed.
    pub(super) fn save(&mut self, headers: &mut Headers) -> Result<(), HeaderFileError> {
        let (Some((lowest, _)), Some(tip)) = (headers.take_changes(), headers.tip()) else { return Ok(()) };
        let base = headers.base();
        let first = if self.base == Some(base) { lowest.max(base) } else { base };
        if self.base != Some(base) {
            // Until it is complete it is no file of headers, and is made anew.
            self.storage.set_len(0)?;
            self.storage.set_len(START)?;
            let start: Vec<u8> = [&MAGIC[..], &self.network, &base.to_le_bytes()].concat();
            self.storage.write(0, &start)?;
            self.base = Some(base);
        }
        self.storage.set_len(place(base, tip.height.saturating_add(1)))?;
        let mut at = first;
        while at <= tip.height {
            let held = (at..=tip.height).take(PIECE).map_while(|height| headers.header(height));
            let bytes: Vec<u8> = held.flat_map(serialize).collect();
            self.storage.write(place(base, at), &bytes)?;
            at = at.saturating_add(u32::try_from(PIECE).unwrap_or(u32::MAX));
        }
        self.storage.sync_data()?;
        Ok(())
    }

    /// The height of the first header, if this is a file of this network's.
    fn first_height(&self) -> Result<Option<u32>, HeaderFileError> {
        let length = self.storage.len()?;
        if length == 0 {
            return Ok(None);
        }
        let mut start = [0; START as usize];
        let known = start.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        self.storage.read(0, &mut start[..known])?;
        let (magic, rest) = start.split_at(MAGIC.len());
        // A crash may have left nothing of the first write.
        if magic != MAGIC && start != [0; START as usize] {
            return Err(HeaderFileError::Foreign(magic.try_into().unwrap_or_default()));
        }
        let (network, base) = rest.split_at(4);
        let base = u32::from_le_bytes(base.try_into().unwrap_or_default());
        Ok((network == self.network && length > START).then_some(base))
    }

    /// Takes headers from the checkpoint upwards, then those below it downwards, as far as they hold.
    fn take(&self, base: u32, headers: &mut Headers) -> Result<(), HeaderFileError> {
        let checkpoint = headers.checkpoint().height;
        if base > checkpoint {
            return Ok(());
        }
        let count = ((self.storage.len()? - START) / SIZE).min(MAX_HEADERS as u64);
        let end = base.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        // The checkpoint alone, then what is below it, by which the difficulty of those above is checked.
        if self
            .read(base, checkpoint, end.min(checkpoint.saturating_add(1)))?
            .first()
            .is_none_or(|header| headers.offer(checkpoint, &[*header]).is_err())
        {
            return Ok(());
        }
        let mut below = checkpoint;
        while below > base {
            let from = below.saturating_sub(PIECE as u32).max(base);
            if !headers.prepend(&self.read(base, from, below)?) {
                break;
            }
            below = from;
        }
        let mut at = checkpoint.saturating_add(1);
        while at < end {
            let until = at.saturating_add(PIECE as u32).min(end);
            if headers.offer(at, &self.read(base, at, until)?).is_err() {
                break;
            }
            at = until;
        }
        Ok(())
    }

    /// The headers of these heights, without `until`.
    fn read(&self, base: u32, from: u32, until: u32) -> Result<Vec<Header>, HeaderFileError> {
        let count = usize::try_from(until.saturating_sub(from)).unwrap_or(0);
        let mut bytes = vec![0; count * SIZE as usize];
        if !bytes.is_empty() {
            self.storage.read(place(base, from), &mut bytes)?;
        }
        // Eighty bytes are always a header, if not one that holds.
        Ok(bytes.chunks_exact(SIZE as usize).filter_map(|header| deserialize(header).ok()).collect())
    }
}

/// Where the header of a height stands.
fn place(base: u32, height: u32) -> u64 {
    START + u64::from(height.saturating_sub(base)) * SIZE
}

impl fmt::Debug for HeaderFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderFile").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Drop for HeaderFile {
    /// Lets go of the lock.
    fn drop(&mut self) {
        let _ = self.storage.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bitcoin::constants::genesis_block;
    use darkswap_wallet::bdk_chain::BlockId;
    use proptest::prelude::*;

    use super::super::headers::Offer;
    use super::super::headers::tests::{branch, genesis};
    use super::*;

    /// A file in memory that outlives those who have it open.
    #[derive(Debug, Clone, Default)]
    struct File(Arc<Mutex<Vec<u8>>>);

    impl File {
        fn bytes(&self) -> Vec<u8> {
            self.0.lock().unwrap().clone()
        }

        fn open(&self, headers: &mut Headers) -> Result<HeaderFile, HeaderFileError> {
            HeaderFile::open(Box::new(self.clone()), Network::Regtest, headers)
        }
    }

    impl From<Vec<u8>> for File {
        fn from(bytes: Vec<u8>) -> Self {
            Self(Arc::new(Mutex::new(bytes)))
        }
    }

    impl StorageBackend for File {
        fn len(&self) -> Result<u64, io::Error> {
            Ok(self.0.lock().unwrap().len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
            let start = usize::try_from(offset).unwrap();
            let bytes = self.0.lock().unwrap();
            out.copy_from_slice(bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }

        fn set_len(&self, len: u64) -> Result<(), io::Error> {
            self.0.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
            Ok(())
        }

        fn sync_data(&self) -> Result<(), io::Error> {
            Ok(())
        }

        fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
            let start = usize::try_from(offset).unwrap();
            self.0.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
            Ok(())
        }
    }

    fn chain(count: usize) -> Vec<Header> {
        let first = genesis_block(Network::Regtest).header;
        [vec![first], branch(&first, count, 1)].concat()
    }

    fn empty(checkpoint: BlockId) -> Headers {
        Headers::new(Network::Regtest, checkpoint)
    }

    /// A file with a chain in it.
    fn kept(chain: &[Header]) -> File {
        let (file, mut headers) = (File::default(), empty(genesis()));
        let mut open = file.open(&mut headers).unwrap();
        assert_eq!(headers.offer(0, chain), Ok(Offer::Extended));
        open.save(&mut headers).unwrap();
        file
    }

    fn found(file: &File, checkpoint: BlockId) -> Headers {
        let mut headers = empty(checkpoint);
        drop(file.open(&mut headers).unwrap());
        headers
    }

    fn tip(headers: &Headers) -> Option<u32> {
        headers.tip().map(|tip| tip.height)
    }

    #[test]
    fn what_was_kept_is_found_and_what_is_new_is_added() {
        let chain = chain(12);
        let file = kept(&chain[..=9]);
        let mut headers = empty(genesis());
        let mut open = file.open(&mut headers).unwrap();
        assert_eq!((tip(&headers), headers.take_changes()), (Some(9), None));
        headers.offer(10, &chain[10..]).unwrap();
        open.save(&mut headers).unwrap();
        assert_eq!(file.bytes().len(), 16 + 13 * 80);
        assert_eq!(found(&file, genesis()).tip(), headers.tip());
    }

    #[test]
    fn a_reorganisation_replaces_what_was_kept() {
        let chain = chain(9);
        let file = kept(&chain);
        let mut headers = empty(genesis());
        let mut open = file.open(&mut headers).unwrap();
        let other = branch(&chain[3], 7, 2);
        assert_eq!(headers.offer(4, &other), Ok(Offer::Reorganised { fork: 3 }));
        open.save(&mut headers).unwrap();
        assert_eq!(found(&file, genesis()).tip(), headers.tip());
    }

    #[test]
    fn headers_below_a_checkpoint_are_kept_as_well() {
        let chain = chain(9);
        let checkpoint = BlockId { height: 6, hash: chain[6].block_hash() };
        let (file, mut headers) = (File::default(), empty(checkpoint));
        let mut open = file.open(&mut headers).unwrap();
        headers.offer(6, &chain[6..]).unwrap();
        open.save(&mut headers).unwrap();
        assert!(headers.prepend(&chain[2..6]));
        open.save(&mut headers).unwrap();
        let again = found(&file, checkpoint);
        assert_eq!((again.base(), tip(&again)), (2, Some(9)));
        // A program with a later checkpoint has use for all of it, one with an earlier one for nothing.
        let later = found(&file, BlockId { height: 8, hash: chain[8].block_hash() });
        assert_eq!((later.base(), tip(&later)), (2, Some(9)));
        assert_eq!(found(&file, genesis()).tip(), None);
    }

    #[test]
    fn a_file_of_something_else_is_left_alone_and_one_of_another_network_is_made_anew() {
        let file = File::from(b"somebody's precious bytes".to_vec());
        let refused = file.open(&mut empty(genesis())).unwrap_err();
        assert!(matches!(refused, HeaderFileError::Foreign(_)), "{refused}");
        assert_eq!(file.bytes(), b"somebody's precious bytes");
        let file = kept(&chain(3));
        file.0.lock().unwrap()[8] ^= 1;
        assert_eq!(found(&file, genesis()).tip(), None);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn of_a_damaged_file_the_headers_before_the_damage_are_found(
            place in 16..16 + 12 * 80_usize, change in 1..=255_u8, cut in proptest::option::of(0..16 + 12 * 80_usize),
        ) {
            let chain = chain(11);
            let mut bytes = kept(&chain).bytes();
            bytes[place] ^= change;
            if let Some(cut) = cut {
                bytes.truncate(cut);
            }
            let whole = u32::try_from((place - 16) / 80).unwrap().min(u32::try_from(bytes.len().saturating_sub(16) / 80).unwrap());
            let file = File::from(bytes);
            let mut headers = empty(genesis());
            let Ok(mut open) = file.open(&mut headers) else { return Ok(()) };
            // Headers are taken by the period, so a period is lost with its first damaged one, but never more is believed. A damaged one
            // may be right, as regtest demands next to no work; then none builds on it.
            prop_assert!(tip(&headers).is_none_or(|tip| tip <= whole));
            // And the file works again.
            headers.offer(0, &chain).unwrap();
            open.save(&mut headers).unwrap();
            prop_assert_eq!(found(&file, genesis()).tip(), headers.tip());
        }
    }
}
