//! The pairs that may still be merged, each with its count and where its occurrences are listed.

/// A pair as one word: the left id above the right one, so that numbers compare as the trainer's ties do.
pub(super) fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// The two ids of a pair.
pub(super) fn unpair(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}

/// No pair: ids are below 2^24.
const EMPTY: u64 = u64::MAX;

/// What is known of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct PairSlot {
    pair: u64,
    /// Its occurrences, each as often as the piece it is in.
    pub(super) count: u64,
    /// Where its list of positions begins.
    pub(super) begin: usize,
    /// How long that list is.
    pub(super) len: usize,
}

const FREE: PairSlot = PairSlot { pair: EMPTY, count: 0, begin: 0, len: 0 };

/// Open addressing with linear probing; pairs are taken out only when room is needed.
#[derive(Debug)]
pub(super) struct PairTable {
    slots: Vec<PairSlot>,
    /// 64 less the binary logarithm of the number of slots.
    shift: u32,
    used: usize,
}

impl Default for PairTable {
    fn default() -> Self {
        const LOG2: u32 = 8;
        Self { slots: vec![FREE; 1 << LOG2], shift: u64::BITS - LOG2, used: 0 }
    }
}

impl PairTable {
    /// The slot of `pair`, or the free one where it belongs.
    #[inline]
    fn find(&self, pair: u64) -> usize {
        let last = self.slots.len() - 1;
        let mut index = (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize;
        while self.slots[index & last].pair != pair && self.slots[index & last].pair != EMPTY {
            index += 1;
        }
        index & last
    }

    #[inline]
    pub(super) fn get(&self, pair: u64) -> Option<&PairSlot> {
        let slot = &self.slots[self.find(pair)];
        (slot.pair == pair).then_some(slot)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, pair: u64) -> Option<&mut PairSlot> {
        let index = self.find(pair);
        let slot = &mut self.slots[index];
        (slot.pair == pair).then_some(slot)
    }

    /// The slot of `pair`, made if it has none. When room is needed, pairs that count less than `least` are forgotten.
    #[inline]
    pub(super) fn entry(&mut self, pair: u64, least: u64) -> &mut PairSlot {
        let mut index = self.find(pair);
        if self.slots[index].pair == EMPTY {
            if (self.used + 1) * 4 > self.slots.len() * 3 {
                self.make_room(least);
                index = self.find(pair);
            }
            self.used += 1;
            self.slots[index].pair = pair;
        }
        &mut self.slots[index]
    }

    #[cold]
    fn make_room(&mut self, least: u64) {
        let stays = |slot: &PairSlot| slot.pair != EMPTY && slot.count >= least;
        self.used = self.slots.iter().filter(|slot| stays(slot)).count();
        let mut size = self.slots.len();
        if self.used * 2 > size {
            size *= 2;
            self.shift -= 1;
        }
        for old in std::mem::replace(&mut self.slots, vec![FREE; size]) {
            if stays(&old) {
                let index = self.find(old.pair);
                self.slots[index] = old;
            }
        }
    }

    /// All pairs, in no particular order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut PairSlot)> {
        self.slots.iter_mut().filter(|slot| slot.pair != EMPTY).map(|slot| (slot.pair, slot))
    }

    /// All pairs, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &PairSlot)> {
        self.slots.iter().filter(|slot| slot.pair != EMPTY).map(|slot| (slot.pair, slot))
    }
}
