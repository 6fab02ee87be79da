//! What connections cost besides time, each stack in a process of its own.

use std::io::{Write as _, stdout};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::time::{ClockId, clock_gettime};

use crate::stack::{MESSAGE, Stack};
use crate::{Channels, Raw, Substreams, runtime};

/// Connections over which memory and CPU time are averaged.
const CONNECTIONS: u32 = 100;
/// Messages over which CPU time is averaged.
const MESSAGES: usize = 4_096;
/// Tells a child which stack to measure.
const STACK: &str = "DARKSWAP_BENCH_STACK";

/// Whether this process is such a child; then it has measured.
pub(crate) fn is_child() -> Result<bool> {
    let Ok(name) = std::env::var(STACK) else { return Ok(false) };
    match name.as_str() {
        Raw::<false>::NAME => runtime()?.block_on(measure::<Raw<false>>())?,
        Raw::<true>::NAME => runtime()?.block_on(measure::<Raw<true>>())?,
        Channels::NAME => runtime()?.block_on(measure::<Channels>())?,
        _ => runtime()?.block_on(measure::<Substreams>())?,
    }
    Ok(true)
}

/// Has a child measure each stack and prints what it says.
pub(crate) fn print() -> Result<()> {
    let mut out = stdout();
    writeln!(out, "\n{:<22} {:>12} {:>18} {:>14}", "", "kB per end", "CPU ms per set-up", "CPU ms per MB")?;
    for stack in [Raw::<false>::NAME, Raw::<true>::NAME, Channels::NAME, Substreams::NAME] {
        let child = Command::new(std::env::current_exe()?).env(STACK, stack).stderr(Stdio::inherit()).output()?;
        ensure!(child.status.success(), "{stack} could not be measured");
        out.write_all(&child.stdout)?;
    }
    Ok(())
}

async fn measure<S: Stack>() -> Result<()> {
    let mut stack = S::start().await?;
    // What comes with the first connection of a process.
    let mut pair = stack.connect().await?;
    S::transfer(&mut pair, MESSAGES / 16).await?;
    let (memory, before) = (resident()?, cpu()?);
    let mut pairs = Vec::new();
    for _ in 0..CONNECTIONS {
        pairs.push(stack.connect().await?);
    }
    let per_set_up = (cpu()? - before).as_secs_f64() * 1e3 / f64::from(CONNECTIONS);
    let per_end = resident()?.saturating_sub(memory) / u64::from(2 * CONNECTIONS) / 1_000;
    drop(pairs);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = cpu()?;
    S::transfer(&mut pair, MESSAGES).await?;
    let per_megabyte = (cpu()? - before).as_secs_f64() * 1e3 / ((MESSAGES * MESSAGE) as f64 / 1e6);
    writeln!(stdout(), "{:<22} {per_end:>12} {per_set_up:>18.2} {per_megabyte:>14.2}", S::NAME)?;
    S::close(pair).await
}

/// CPU time of all threads of the process, in the kernel and outside.
fn cpu() -> Result<Duration> {
    Ok(Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?)
}

/// Bytes that the process holds.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the system does not tell")?;
    let kibibytes: u64 = line.trim().strip_suffix("kB").context("kibibytes")?.trim().parse()?;
    Ok(kibibytes * 1024)
}
