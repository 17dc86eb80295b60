//! Results that are put together from parts, which threads make side by side.

use crate::memory;
use crate::ragged::Ragged;

/// What is put together from parts of its kind.
pub(super) trait Join: Default + Send {
    /// Appends what `next` holds, and leaves it empty, with its memory for another part.
    fn join(&mut self, next: &mut Self);
}

impl<T: Copy + Send> Join for Vec<T> {
    fn join(&mut self, next: &mut Self) {
        memory::append(self, next);
        next.clear();
    }
}

impl Join for usize {
    fn join(&mut self, next: &mut Self) {
        *self += std::mem::take(next);
    }
}

impl Join for Ragged<u32> {
    fn join(&mut self, next: &mut Self) {
        memory::grow(self.values_mut(), next.values().len());
        self.append(next);
    }
}
