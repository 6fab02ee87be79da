//! Entropy that repeats: what an input does depends on nothing but the input.
//!
//! The WebRTC stack draws keys, tags and TSNs from the operating system, by itself and through thread-local generators and hashers.
//! [`repeatable`] runs an input in a thread of its own, whose generators start anew, and the functions below answer that thread, and
//! any other of the process, from one counter that starts anew too. They are found by name by the linker; `syscall` is replaced for the
//! sake of `getrandom` 0.2 (thus ring), which makes the system call itself.

#![expect(unsafe_code, reason = "the replaced functions have C signatures")]

use std::ffi::{c_int, c_long, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::certificate;

/// The state of SplitMix64, which needs no more than an addition per draw.
static STATE: AtomicU64 = AtomicU64::new(0);
/// Its increment: the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Runs one input so that a replay of it, alone or after others, does the same.
///
/// What depends on nothing random does not need it; a thread costs some 20 microseconds.
pub fn repeatable(input: impl FnOnce() + Send) {
    // Made once per process: the first input must not draw more than the others.
    let _ = [certificate(0), certificate(1)];
    STATE.store(0, Ordering::Relaxed);
    // A panic never comes back: libFuzzer's hook keeps the input and ends the process.
    thread::scope(|scope| scope.spawn(input).join()).expect("a panic ends the process");
}

fn draw() -> u64 {
    let mut mixed = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// `getrandom(2)`.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, _flags: u32) -> isize {
    if length > 0 {
        // SAFETY: as promised by the caller; the slice does not outlive this call.
        let buffer = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&draw().to_le_bytes()[..chunk.len()]);
        }
    }
    length.cast_signed()
}

/// `getentropy(3)`.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getentropy(buffer: *mut c_void, length: usize) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { getrandom(buffer, length, 0) };
    0
}

/// `syscall(2)`; passing on all six registers is harmless.
///
/// # Safety
/// As the system call `number` asks.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> c_long {
    type Syscall = unsafe extern "C" fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long;
    static REAL: OnceLock<Syscall> = OnceLock::new();
    if number == libc::SYS_getrandom {
        // SAFETY: the arguments of `getrandom(2)`, which promise a buffer `a` of `b` bytes.
        return unsafe { getrandom(std::ptr::with_exposed_provenance_mut(a), b, 0) } as c_long;
    }
    // Found once; a `OnceLock` that is set makes no system call.
    let real = REAL.get_or_init(|| {
        // SAFETY: the name ends with a zero byte.
        let real = unsafe { libc::dlsym(libc::RTLD_NEXT, c"syscall".as_ptr()) };
        assert!(!real.is_null(), "libc has a function syscall");
        // SAFETY: it is libc's function of this name, whose arguments are passed in registers.
        unsafe { std::mem::transmute::<*mut c_void, Syscall>(real) }
    });
    // SAFETY: `real` is libc's function of this name, and the arguments are the caller's.
    unsafe { real(number, a, b, c, d, e, f) }
}
