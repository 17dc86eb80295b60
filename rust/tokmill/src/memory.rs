//! Advice to the processor and to the system about memory. Nothing here changes a result.

// What the vector paths call is compiled for their instructions only where it is inlined.
#![allow(clippy::inline_always)]

use std::ops::{Deref, DerefMut};

/// Asks the processor to fetch a cache line; does nothing where that cannot be said.
#[inline]
pub fn prefetch<T>(place: &T) {
    prefetch_address(place);
}

/// The same for an address, whether anything is there or not.
#[inline]
pub fn prefetch_address<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint, reads nothing that the program can see, and never faults, wherever it points.
    unsafe {
        std::arch::x86_64::_mm_prefetch(place.cast(), std::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Bytes of a cache line.
pub const LINE: usize = 64;
/// Bytes of a huge page, on most machines.
const HUGE_PAGE: usize = 2 << 20;

/// Bytes that the allocator of glibc keeps beside what it maps for one request, rounded up to its granularity.
const HEADER: usize = 32;

/// Memory of fewer bytes than this is left to pages of the usual size.
const WORTH_HUGE: usize = 4 << 20;

/// Asks the system to provide memory that has not been touched yet in huge pages: one fault for 2 MiB instead of 512.
/// Does nothing where that cannot be said, or is not worth it.
pub fn prefer_huge_pages<T>(memory: &mut [T]) {
    if size_of_val(memory) >= WORTH_HUGE {
        advise(memory);
    }
}

#[cfg(target_os = "linux")]
fn advise<T>(memory: &mut [T]) {
    const PAGE: usize = 4096;
    let begin = memory.as_mut_ptr().cast::<u8>();
    let before = begin.addr() % PAGE;
    let len = (before + size_of_val(memory)).next_multiple_of(PAGE);
    let page = begin.wrapping_sub(before).cast();
    // SAFETY: the pages of the range hold memory that is borrowed, and this changes nothing that is in them, neither
    // there nor beside it.
    unsafe {
        libc::madvise(page, len, libc::MADV_HUGEPAGE);
        if page.addr() % HUGE_PAGE == 0 && before != 0 && len >= HUGE_PAGE {
            // The allocator has touched the first page, to write down how long the memory is.
            libc::madvise(page, HUGE_PAGE, libc::MADV_COLLAPSE);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn advise<T>(_memory: &mut [T]) {}

/// An empty vector with room for so many values, in huge pages where that is worth it.
pub fn room<T>(len: usize) -> Vec<T> {
    let bytes = len.saturating_mul(size_of::<T>());
    if bytes < WORTH_HUGE {
        return Vec::with_capacity(len);
    }
    // With its header it is a mapping of whole huge pages, which the system lets begin at the boundary of one.
    let whole = bytes.saturating_add(HEADER).next_multiple_of(HUGE_PAGE) - HEADER;
    let mut room = Vec::with_capacity(whole / size_of::<T>());
    prefer_huge_pages(room.spare_capacity_mut());
    room
}

/// Appends values to a vector that may become long.
#[inline]
pub fn append<T: Copy>(values: &mut Vec<T>, more: &[T]) {
    if values.capacity() - values.len() < more.len() {
        grow(values, more.len());
    }
    values.extend_from_slice(more);
}

/// Makes room for `more` values, as appending them would, in huge pages where that is worth it.
///
/// Advice about a part of a mapping keeps the system from moving the mapping when it grows, and what is then copied into
/// is not advised. So a vector that is worth it is copied into memory that is advised as a whole.
#[cold]
pub fn grow<T: Copy>(values: &mut Vec<T>, more: usize) {
    if values.capacity() - values.len() >= more {
        return;
    }
    let capacity = (values.len() + more).max(2 * values.capacity());
    if capacity * size_of::<T>() < WORTH_HUGE {
        return values.reserve(more);
    }
    let mut grown = room(capacity);
    grown.extend_from_slice(values);
    *values = grown;
}

/// An empty text with room for so many bytes, in huge pages where that is worth it.
pub fn room_for_text(bytes: usize) -> String {
    String::from_utf8(room(bytes)).expect("no bytes are a text")
}

/// A slice of zeros, at the boundary of a huge page where it is worth huge pages, else of a cache line. The system
/// provides its memory as it is first written to.
#[derive(Debug)]
pub struct Zeroed<T> {
    memory: Vec<T>,
    begin: usize,
    len: usize,
}

impl<T: Copy + Default> Zeroed<T> {
    /// So many integers.
    pub fn new(len: usize) -> Self {
        let align = if len * size_of::<T>() >= WORTH_HUGE { HUGE_PAGE } else { LINE };
        // Zeroed by the allocator, which asks the system for pages that are zero and does not touch them.
        let mut memory = vec![T::default(); len + align / size_of::<T>()];
        let begin = memory.as_ptr().align_offset(align).min(memory.len() - len);
        prefer_huge_pages(&mut memory[begin..begin + len]);
        Self { memory, begin, len }
    }
}

impl<T> Deref for Zeroed<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.memory[self.begin..self.begin + self.len]
    }
}

impl<T> DerefMut for Zeroed<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.begin..self.begin + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_begin_at_a_boundary_and_can_be_written() {
        for (len, boundary) in [(0, LINE), (7, LINE), (WORTH_HUGE / 16 + 3, HUGE_PAGE)] {
            let mut words = Zeroed::<u128>::new(len);
            assert_eq!((words.len(), words.as_ptr().addr() % boundary), (len, 0));
            assert!(words.iter().all(|&word| word == 0));
            words.fill(u128::MAX);
            assert!(words.iter().all(|&word| word == u128::MAX));
        }
        let bytes = Zeroed::<u8>::new(1001);
        assert_eq!((bytes.len(), bytes.as_ptr().addr() % LINE), (1001, 0));
    }

    #[test]
    fn vectors_keep_what_they_have_as_they_grow() {
        let more: Vec<u32> = (0..100_000).collect();
        let mut values = Vec::new();
        for _ in 0..30 {
            append(&mut values, &more);
        }
        grow(&mut values, 5_000_000);
        assert!(values.capacity() - values.len() >= 5_000_000);
        assert_eq!(values, more.repeat(30));
    }
}
