//! Which systems the simulator runs on.

/// Whether a run on this system is reproducible.
///
/// # Errors
/// Says what is missing, for the user to read.
pub const fn supported() -> Result<(), &'static str> {
    if cfg!(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))) {
        Ok(())
    } else {
        Err(
            "the simulator replaces the clock and the entropy of its process, which it can do on Linux with glibc on x86-64 \
             and aarch64 only; the node itself runs here (`darkswap run`)",
        )
    }
}
