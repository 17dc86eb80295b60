//! Advice to the processor about memory. Nothing here changes a result.

/// Asks the processor to fetch a cache line; does nothing where that cannot be said.
#[inline]
pub fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint, reads nothing that the program can see, and never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch(std::ptr::from_ref(place).cast(), std::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
