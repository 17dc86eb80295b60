//! Many short strings, end to end in one allocation.

/// Strings by index.
#[derive(Clone, Debug, Default)]
pub(super) struct Strings {
    text: String,
    /// Where each string ends; it begins where the one before ends.
    ends: Vec<usize>,
}

impl Strings {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn push(&mut self, string: &str) {
        self.text.push_str(string);
        self.ends.push(self.text.len());
    }

    pub(super) fn get(&self, index: usize) -> &str {
        &self.text[self.begin(index)..self.ends[index]]
    }

    /// Where a string begins in [`Self::text`].
    pub(super) fn begin(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|index| self.get(index))
    }

    /// All strings, end to end.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The index of the string that holds byte `at` of the text.
    pub(super) fn holding(&self, at: usize) -> usize {
        self.ends.partition_point(|&end| end <= at)
    }

    /// The indices of the strings in byte order.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| self.get(a as usize).cmp(self.get(b as usize)));
        order
    }

    /// Bytes of memory in use.
    pub(super) fn memory(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}
