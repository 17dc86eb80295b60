//! What each id stands for, in slots of sixteen bytes: up to fifteen bytes lie in the slot itself, so that a short token,
//! as nearly all are, is read from one place and copied without a loop.

use crate::error::{Error, Result};
use crate::memory;

/// Bytes of a slot, and bytes that copying one writes.
const COPY: usize = 16;
/// Ids whose slots are fetched while others are copied.
const AHEAD: usize = 32;

/// The bytes of each id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// Longer tokens end to end.
    arena: Vec<u8>,
}

/// A token of up to fifteen bytes, or where a longer one begins and its length, four bytes each. The last byte is the
/// length of a short token, or [`LONG`], with the marks [`ABSENT`] and [`BYTE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(16))]
struct Slot([u8; COPY]);

/// The length of a token that is not in its slot.
const LONG: u8 = 1 << 4;
/// Marks an id that does not exist.
const ABSENT: u8 = 1 << 5;
/// Marks a byte in disguise.
const BYTE: u8 = 1 << 6;
/// What is left is the length of a short token.
const LEN: u8 = LONG - 1;

impl Slot {
    const ABSENT: Self = {
        let mut slot = [0; COPY];
        slot[COPY - 1] = ABSENT;
        Self(slot)
    };

    #[inline]
    fn last(&self) -> u8 {
        self.0[COPY - 1]
    }

    /// Begin in the arena and length of a long token.
    fn place(&self) -> (usize, usize) {
        let number = |at: usize| u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]]);
        (number(0) as usize, number(4) as usize)
    }
}

impl Slots {
    /// Slots of so many ids that do not exist yet.
    pub(super) fn new(size: usize) -> Self {
        Self { slots: vec![Slot::ABSENT; size], arena: Vec::new() }
    }

    /// One more than the largest id.
    pub(super) fn size(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no slots.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Says what an id stands for; `is_byte` marks a byte in disguise.
    pub(super) fn set(&mut self, id: u32, bytes: &[u8], is_byte: bool) -> Result<()> {
        let mut slot = [0; COPY];
        if bytes.len() < COPY {
            slot[..bytes.len()].copy_from_slice(bytes);
            slot[COPY - 1] = bytes.len() as u8;
        } else {
            let too_long = |_| Error::format("vocabulary", "the tokens are longer than 4 GiB together");
            let begin = u32::try_from(self.arena.len()).map_err(too_long)?;
            let len = u32::try_from(bytes.len()).map_err(too_long)?;
            slot[..4].copy_from_slice(&begin.to_le_bytes());
            slot[4..8].copy_from_slice(&len.to_le_bytes());
            slot[COPY - 1] = LONG;
            self.arena.extend_from_slice(bytes);
        }
        if is_byte {
            slot[COPY - 1] |= BYTE;
        }
        self.slots[id as usize] = Slot(slot);
        Ok(())
    }

    /// The bytes of an id that exists, and whether they are a byte in disguise.
    pub(super) fn get(&self, id: u32) -> Option<(&[u8], bool)> {
        let slot = self.slots.get(id as usize).filter(|slot| slot.last() & ABSENT == 0)?;
        let bytes = if slot.last() & LONG == 0 { &slot.0[..usize::from(slot.last() & LEN)] } else { self.long(slot) };
        Some((bytes, slot.last() & BYTE != 0))
    }

    fn long(&self, slot: &Slot) -> &[u8] {
        let (begin, len) = slot.place();
        &self.arena[begin..begin + len]
    }

    /// The first of `ids` that does not exist.
    pub(super) fn first_absent(&self, ids: &[u32]) -> Option<u32> {
        ids.iter().copied().find(|&id| self.get(id).is_none())
    }

    /// Appends the bytes of those ids that are to be kept to a text, and says whether there are bytes in disguise among
    /// them; nothing if one of them does not exist.
    pub(super) fn append(&self, ids: &[u32], keep: impl Fn(u32) -> bool, text: &mut Vec<u8>) -> Option<bool> {
        let (mut at, mut marks) = (text.len(), 0);
        // A token is about five bytes. Zeroed by the system, which provides pages as they are written to.
        widen(text, at, (ids.len() * 6).max(ids.len().min(64) * COPY));
        for (index, &id) in ids.iter().enumerate() {
            if let Some(slot) = ids.get(index + AHEAD).and_then(|&id| self.slots.get(id as usize)) {
                memory::prefetch(slot);
            }
            if !keep(id) {
                continue;
            }
            let slot = self.slots.get(id as usize).unwrap_or(&Slot::ABSENT);
            marks |= slot.last();
            if text.len() - at < COPY {
                widen(text, at, COPY);
            }
            text[at..at + COPY].copy_from_slice(&slot.0);
            if slot.last() & LONG == 0 {
                at += usize::from(slot.last() & LEN);
            } else {
                let bytes = self.long(slot);
                if text.len() - at < bytes.len() {
                    widen(text, at, bytes.len());
                }
                text[at..at + bytes.len()].copy_from_slice(bytes);
                at += bytes.len();
            }
        }
        text.truncate(at);
        (marks & ABSENT == 0).then_some(marks & BYTE != 0)
    }
}

/// Makes a text of `len` bytes at least twice as long, with zeros for `more` bytes behind it.
#[cold]
fn widen(text: &mut Vec<u8>, len: usize, more: usize) {
    let mut wider = vec![0; 2 * len + more];
    memory::prefer_huge_pages(&mut wider);
    wider[..len].copy_from_slice(&text[..len]);
    *text = wider;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slots_give_back_what_was_set(
            tokens in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 1..20),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            // Every second id does not exist.
            let mut slots = Slots::new(tokens.len() * 2);
            for (index, (bytes, is_byte)) in tokens.iter().enumerate() {
                slots.set(index as u32 * 2, bytes, *is_byte).unwrap();
            }
            for (index, (bytes, is_byte)) in tokens.iter().enumerate() {
                prop_assert_eq!(slots.get(index as u32 * 2), Some((bytes.as_slice(), *is_byte)));
                prop_assert_eq!(slots.get(index as u32 * 2 + 1), None);
            }
            let chosen: Vec<usize> = order.iter().map(|index| index.index(tokens.len())).collect();
            let ids: Vec<u32> = chosen.iter().map(|&index| index as u32 * 2).collect();
            for skipped in [u32::MAX, 0] {
                let kept = || chosen.iter().filter(|&&index| index as u32 * 2 != skipped);
                let expected: Vec<u8> = kept().flat_map(|&index| tokens[index].0.clone()).collect();
                let any_byte = kept().any(|&index| tokens[index].1);
                let mut text = b"before".to_vec();
                prop_assert_eq!(slots.append(&ids, |id| id != skipped, &mut text), Some(any_byte));
                prop_assert_eq!(text.strip_prefix(b"before"), Some(expected.as_slice()));
            }
            prop_assert_eq!(slots.first_absent(&ids), None);
            for absent in [1, tokens.len() as u32 * 2] {
                prop_assert_eq!(slots.first_absent(&[0, absent]), Some(absent));
                prop_assert_eq!(slots.append(&[0, absent], |_| true, &mut Vec::new()), None);
            }
        }
    }
}
