//! Messages that become far more than they are.

use std::io::{self, Read as _};

use anyhow::{Context as _, Result};
use darkswap_messages::compression::plain;
use darkswap_messages::wire::Outcome;
use darkswap_node::Runtime;

use super::victim::Victim;
use super::{Reply, Report};
use crate::runtime::SimRuntime;

/// What a large bomb becomes: far more than any message may.
const LARGE: u64 = 64 << 20;
/// What one becomes that has room beside the honest message, but is far larger than its frame: only the bound on the ratio refuses it.
const STEEP: u64 = 512 << 10;
/// What a frame says that it becomes, and does not.
const CLAIMED: u32 = 1_000;
/// Small bombs in one parcel, and of what each is made. Alone it is within every bound.
const MANY: usize = 8;
const NOISE: usize = 5_000;
const QUIET: u64 = 300 << 10;
/// The first byte of a message in a zstd frame.
const ZSTD: u8 = 1;
/// Where a frame with a window and a size of four bytes says its size (RFC 8878, section 3.1.1).
const SIZE: std::ops::Range<usize> = 6..10;

/// The bombs, built once.
pub(super) struct Bombs(Vec<(&'static str, Vec<Vec<u8>>)>);

impl Bombs {
    /// # Errors
    /// zstd does not do what it should: a bug.
    pub(super) fn new(runtime: &SimRuntime) -> Result<Self> {
        let large = frame(&[], LARGE)?;
        let mut claiming = large.clone();
        let said = claiming.get_mut(SIZE.start + 1..SIZE.end + 1).context("a frame with its size")?;
        anyhow::ensure!(*said == u32::try_from(LARGE)?.to_le_bytes(), "the frame says its size elsewhere");
        said.copy_from_slice(&CLAIMED.to_le_bytes());
        let mut noise = [0; NOISE];
        runtime.fill_random(&mut noise);
        let small = frame(&noise, QUIET)?;
        Ok(Self(vec![
            ("size", vec![large]),
            ("ratio", vec![frame(&[], STEEP)?]),
            ("claim", vec![claiming]),
            ("many", vec![small; MANY]),
        ]))
    }

    /// Sends every bomb with an honest message beside it.
    pub(super) async fn send(&self, victim: &mut Victim, report: &Report) {
        for (how, bombs) in &self.0 {
            let outcomes = drop_on(victim, report, bombs).await;
            let reply = match outcomes.as_deref() {
                // The message beside it is nobody's fault.
                Some([bombs @ .., Outcome::Delivered]) if bombs.contains(&Outcome::Refused) => Reply::Refused,
                Some([bombs @ .., Outcome::Delivered]) if !bombs.is_empty() => Reply::Taken,
                _ => Reply::Failed,
            };
            report.record(&victim.name, how, reply);
        }
    }
}

async fn drop_on(victim: &mut Victim, report: &Report, bombs: &[Vec<u8>]) -> Option<Vec<Outcome>> {
    victim.meet(report.now(), report.runtime.as_ref()).await?;
    // The bombs come last in what may be inflated, so that the honest one has room.
    let beside = std::iter::once(plain(b"beside it"));
    let request = victim.parcel(report.now(), beside.chain(bombs.iter().cloned()).collect())?;
    let response = victim.ask(&request).await;
    let mut outcomes = victim.outcomes(report.now(), response)?;
    outcomes.rotate_left(1);
    Some(outcomes)
}

/// A packed message of these bytes and so many zeros.
fn frame(begin: &[u8], zeros: u64) -> Result<Vec<u8>> {
    let mut encoder = zstd::stream::Encoder::new(vec![ZSTD], 1)?;
    encoder.set_pledged_src_size(Some(begin.len() as u64 + zeros))?;
    io::copy(&mut begin.chain(io::repeat(0).take(zeros)), &mut encoder)?;
    Ok(encoder.finish()?)
}
