//! Advice to the operating system and the processor about memory. Nothing here changes a result.

use std::mem::MaybeUninit;

/// Below this, huge pages are not worth a system call.
const WORTHWHILE: usize = 4 << 20;

/// Asks for huge pages under memory that has not been touched yet: tables that are probed at random then miss the
/// translation buffer less, and long outputs fault less often.
pub fn prefer_huge_pages<T>(memory: &mut [MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let range = memory.as_mut_ptr_range();
        let begin = (range.start as usize).next_multiple_of(PAGE);
        let end = range.end as usize / PAGE * PAGE;
        if end.saturating_sub(begin) >= WORTHWHILE {
            let place = std::ptr::without_provenance_mut(begin);
            // SAFETY: the range is page-aligned and inside memory that the caller holds exclusively; the advice changes
            // how the kernel backs it and not what it contains. A refusal leaves small pages, so it is not looked at.
            unsafe {
                libc::madvise(place, end - begin, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (memory.len(), WORTHWHILE);
}

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
