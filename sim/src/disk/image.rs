//! The bytes of a file, by pages. A page that was never written is not kept: it is zero.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// What a disk writes as one: a page is there after a crash as it was, or as it became.
pub(super) const PAGE: u64 = 4_096;

const PAGE_BYTES: usize = 4_096;

/// The content of a file. Clones share the pages until one of them changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    len: u64,
    pages: BTreeMap<u64, Arc<[u8; PAGE_BYTES]>>,
}

impl Image {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What is new is zero, also where there once was something.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.retain(|number, _| number * PAGE < len);
            if let Some(page) = self.pages.get_mut(&(len / PAGE)) {
                Arc::make_mut(page)[within(len)..].fill(0);
            }
        }
        self.len = len;
    }

    /// Writes within one page; the file grows when it has to.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        let page = self.pages.entry(at / PAGE).or_insert_with(|| Arc::new([0; PAGE_BYTES]));
        Arc::make_mut(page)[within(at)..][..bytes.len()].copy_from_slice(bytes);
        self.len = self.len.max(at + bytes.len() as u64);
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= self.len);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at_mut(rest.len().min(PAGE_BYTES - within(at)));
            match self.pages.get(&(at / PAGE)) {
                Some(page) => piece.copy_from_slice(&page[within(at)..][..piece.len()]),
                None => piece.fill(0),
            }
            at += piece.len() as u64;
            rest = after;
        }
        Ok(())
    }
}

/// The place within its page.
fn within(at: u64) -> usize {
    usize::try_from(at % PAGE).expect("less than a page")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_image_reads_like_a_row_of_bytes(
            changes in prop::collection::vec((any::<bool>(), 0..20_000_u64, any::<u8>(), 0..PAGE_BYTES), 0..30),
        ) {
            let (mut image, mut bytes) = (Image::default(), Vec::new());
            for (is_write, at, value, length) in changes {
                let place = usize::try_from(at).unwrap();
                if is_write {
                    let piece = vec![value; length.min(PAGE_BYTES - within(at))];
                    image.write(at, &piece);
                    bytes.resize(bytes.len().max(place + piece.len()), 0);
                    bytes[place..place + piece.len()].copy_from_slice(&piece);
                } else {
                    image.set_len(at);
                    bytes.resize(place, 0);
                }
            }
            let mut read = vec![1; usize::try_from(image.len()).unwrap()];
            image.read(0, &mut read).unwrap();
            prop_assert_eq!(read, bytes);
        }
    }
}
