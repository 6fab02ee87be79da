//! `darkswap-sim`: runs the shipped node in a deterministic network, many runs at a time.
//!
//! The command line is in [`cli`]; what it starts and what a run consists of is the library. `interpose` is linked here and not into
//! the library: every run is a process of this executable.

mod cli;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod interpose;

fn main() -> std::process::ExitCode {
    cli::main()
}
