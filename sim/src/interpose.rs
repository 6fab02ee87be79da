//! Replacements of libc's clock and entropy functions for the simulated thread.
//!
//! This file is part of the binary only: a program that links the library keeps its libc. The functions are found by name, by the
//! static linker for Rust code and by `dlsym` for what looks them up at run time, and ask [`darkswap_sim::simulated_thread`] what the
//! calling thread should see; every other thread is passed on to libc.
//!
//! `syscall` is replaced for the sake of `getrandom` 0.2 (thus ring), which makes the system call itself.

#![expect(unsafe_code, reason = "the replaced functions have C signatures")]

use std::ffi::{CStr, c_int, c_long, c_void};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use darkswap_sim::simulated_thread::{self, SimulatedClock};

type Getrandom = unsafe extern "C" fn(*mut c_void, usize, u32) -> isize;
type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;
type Syscall = unsafe extern "C" fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long;

/// The most that `getentropy` gives at once (POSIX.1-2024).
const GETENTROPY_MAX: usize = 256;

static REAL_GETRANDOM: Real = Real::new(c"getrandom");
static REAL_CLOCK_GETTIME: Real = Real::new(c"clock_gettime");
static REAL_SYSCALL: Real = Real::new(c"syscall");

/// `getrandom(2)`.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: u32) -> isize {
    // SAFETY: as promised by the caller.
    if unsafe { fill(buffer, length) } {
        return length.cast_signed();
    }
    let real = REAL_GETRANDOM.address();
    if real.is_null() {
        return fail(libc::ENOSYS) as isize;
    }
    // SAFETY: `real` is libc's function of this name, and the arguments are the caller's.
    unsafe { std::mem::transmute::<*mut c_void, Getrandom>(real)(buffer, length, flags) }
}

/// `getentropy(3)`.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getentropy(buffer: *mut c_void, length: usize) -> c_int {
    if length > GETENTROPY_MAX {
        return fail(libc::EIO);
    }
    // SAFETY: as promised by the caller.
    if unsafe { getrandom(buffer, length, 0) } == length.cast_signed() { 0 } else { -1 }
}

/// `clock_gettime(2)`.
///
/// # Safety
/// `time` must be valid for a write.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if let Some(now) = simulated(clock).and_then(simulated_thread::time) {
        // SAFETY: as promised by the caller.
        unsafe { time.write(timespec(now)) };
        return 0;
    }
    let real = REAL_CLOCK_GETTIME.address();
    if real.is_null() {
        return fail(libc::ENOSYS);
    }
    // SAFETY: `real` is libc's function of this name, and the arguments are the caller's.
    unsafe { std::mem::transmute::<*mut c_void, ClockGettime>(real)(clock, time) }
}

/// `syscall(2)`. Callers pass up to six arguments; passing on all six registers is harmless, on both supported architectures.
///
/// # Safety
/// As the system call `number` asks.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    // SAFETY: the arguments of `getrandom(2)`, which promise a buffer `a` of `b` bytes.
    if number == libc::SYS_getrandom && unsafe { fill(ptr::with_exposed_provenance_mut(a), b) } {
        return b.cast_signed() as c_long;
    }
    let real = REAL_SYSCALL.address();
    if real.is_null() {
        return fail(libc::ENOSYS).into();
    }
    // SAFETY: `real` is libc's function of this name, and the arguments are the caller's.
    unsafe { std::mem::transmute::<*mut c_void, Syscall>(real)(number, a, b, c, d, e, f) }
}

/// Fills the buffer from the run's entropy if the calling thread is simulated.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes.
unsafe fn fill(buffer: *mut c_void, length: usize) -> bool {
    if length == 0 {
        return simulated_thread::fill_random(&mut []);
    }
    // SAFETY: as promised by the caller; the slice does not outlive this call.
    simulated_thread::fill_random(unsafe { slice::from_raw_parts_mut(buffer.cast::<u8>(), length) })
}

fn simulated(clock: libc::clockid_t) -> Option<SimulatedClock> {
    match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => Some(SimulatedClock::WallClock),
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW | libc::CLOCK_MONOTONIC_COARSE | libc::CLOCK_BOOTTIME => {
            Some(SimulatedClock::Monotonic)
        }
        _ => None,
    }
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() }
}

fn fail(code: c_int) -> c_int {
    // SAFETY: libc's errno of this thread.
    unsafe { *libc::__errno_location() = code };
    -1
}

/// The libc function that a replacement hides.
struct Real {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Real {
    const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicPtr::new(ptr::null_mut()) }
    }

    fn address(&self) -> *mut c_void {
        let known = self.address.load(Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.address.store(found, Ordering::Relaxed);
        found
    }
}
