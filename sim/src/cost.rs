//! What a run costs in the real world: wall time, CPU time and memory.
//!
//! These clocks ask the kernel past libc, so they stay real on a simulated thread. Nothing that a simulation decides may depend on
//! them.

use std::time::Duration;

/// Real time since an arbitrary moment.
pub fn real_now() -> Duration {
    clock::read(clock::Id::Monotonic)
}

/// CPU time that the calling thread has used.
pub fn thread_cpu_now() -> Duration {
    clock::read(clock::Id::ThreadCpu)
}

/// CPU time that all threads of the process have used.
pub fn process_cpu_now() -> Duration {
    clock::read(clock::Id::ProcessCpu)
}

/// The most memory that the process has held at once, in bytes, where the system tells (Linux: `VmHWM`).
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(unix)]
mod clock {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    pub(super) enum Id {
        Monotonic,
        ThreadCpu,
        ProcessCpu,
    }

    pub(super) fn read(id: Id) -> Duration {
        let time = clock_gettime(match id {
            Id::Monotonic => ClockId::Monotonic,
            Id::ThreadCpu => ClockId::ThreadCPUTime,
            Id::ProcessCpu => ClockId::ProcessCPUTime,
        });
        Duration::try_from(time).unwrap_or_default()
    }
}

#[cfg(not(unix))]
mod clock {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    pub(super) enum Id {
        Monotonic,
        ThreadCpu,
        ProcessCpu,
    }

    /// The simulator does not run here, so the difference between the clocks does not matter.
    #[expect(clippy::disallowed_methods, reason = "real time is what is asked for")]
    pub(super) fn read(_: Id) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_cpu_time_pass() {
        let (time, cpu) = (real_now(), thread_cpu_now());
        while thread_cpu_now() == cpu {
            std::hint::spin_loop();
        }
        assert!(real_now() > time);
        assert!(process_cpu_now() >= thread_cpu_now());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_holds_memory() {
        assert!(peak_memory() > Some(100_000));
    }
}
