//! Symbols: the tokens that merging can reach, numbered in the order in which merging makes them.

use hashbrown::HashMap;

use super::heap::{Heap, Product};
use super::merge::Scratch;
use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::Vocab;

/// "No symbol", and "no id".
pub(super) const NONE: u32 = u32::MAX;

/// Symbol numbers, also of pairs, stay below this, so that a pair and its product fit in 64 bits.
const MAX_SYMBOLS: usize = 1 << SYMBOL_BITS;
const SYMBOL_BITS: u32 = 21;

/// A compiled merge list. Symbols 0..256 are the bytes; the others are products, each with its one last merge.
#[derive(Clone, Debug)]
pub(super) struct Symbols {
    pairs: PairTable,
    /// The two parts of each product, from symbol 256 on.
    splits: Vec<(u32, u32)>,
    /// Vocabulary id of each symbol; [`NONE`] for a byte without entry.
    ids: Vec<u32>,
    /// Length of each symbol in bytes.
    lens: Vec<u32>,
    /// Symbol of each id; [`NONE`] for an entry that merging cannot reach.
    of_id: Vec<u32>,
    lacks_bytes: bool,
    /// Whether every merge builds on products of earlier merges, as a trainer's merges do.
    regular: bool,
}

impl Symbols {
    fn bytes_only(vocab: &Vocab, products: usize) -> Self {
        let mut of_id = vec![NONE; vocab.size()];
        let mut ids: Vec<u32> = (0..=255).map(|byte| vocab.id(&[byte]).unwrap_or(NONE)).collect();
        for (symbol, &id) in ids.iter().enumerate().filter(|(_, id)| **id != NONE) {
            of_id[id as usize] = symbol as u32;
        }
        let lacks_bytes = ids.contains(&NONE);
        ids.reserve(products);
        Self {
            pairs: PairTable::with_capacity(products),
            splits: Vec::with_capacity(products),
            ids,
            lens: vec![1; 256],
            of_id,
            lacks_bytes,
            regular: true,
        }
    }

    /// Compiles merges in order of rank, already checked against the vocabulary.
    pub(super) fn from_merges(vocab: &Vocab, merges: &[Merge]) -> Result<Self> {
        match Self::from_regular(vocab, merges)? {
            Some(symbols) => Ok(symbols),
            None => Self::from_irregular(vocab, merges),
        }
    }

    /// Compiles a list in which every merge builds on products of earlier ones, or gives `None`.
    fn from_regular(vocab: &Vocab, merges: &[Merge]) -> Result<Option<Self>> {
        let mut symbols = Self::bytes_only(vocab, merges.len().min(vocab.entries()));
        let mut orphans = Vec::new();
        for merge in merges {
            let (left, right) = (symbols.of_id[merge.left as usize], symbols.of_id[merge.right as usize]);
            let made = symbols.of_id[merge.result as usize];
            if left == NONE || right == NONE {
                orphans.push(merge);
            } else if made == NONE {
                if symbols.separable(left, right) {
                    let len = symbols.len(left) + symbols.len(right);
                    symbols.push(left, right, merge.result, len)?;
                }
            } else if made >= 256 && symbols.split(made) == (left, right) {
                // A live pair is listed again, and its later rank counts.
                return Ok(None);
            }
        }
        let late = |id: u32| symbols.of_id[id as usize] != NONE;
        Ok((!orphans.iter().any(|merge| late(merge.left) && late(merge.right))).then_some(symbols))
    }

    /// Compiles any list, by watching how each entry is made from its bytes.
    fn from_irregular(vocab: &Vocab, merges: &[Merge]) -> Result<Self> {
        let by_pair: HashMap<(u32, u32), Product> = merges
            .iter()
            .zip(0..)
            .map(|(merge, rank)| ((merge.left, merge.right), Product { rank, token: merge.result }))
            .collect();
        let byte_id = |byte: &u8| vocab.id(std::slice::from_ref(byte));
        let mut heap = Heap::default();
        let mut live = Vec::new();
        for (id, key) in vocab.iter().filter(|(id, key)| key.len() > 1 && !vocab.is_inexpressible(*id)) {
            let Some(ids) = key.iter().map(byte_id).collect::<Option<Vec<u32>>>() else { continue };
            let last = heap.merge(ids.into_iter(), |left, right| by_pair.get(&(left, right)).copied());
            if let Some((Product { rank, token }, (left, right))) = last
                && heap.is_one()
                && token == id
            {
                live.push((rank, left, right, id));
            }
        }
        live.sort_unstable();
        let mut symbols = Self::bytes_only(vocab, live.len());
        symbols.regular = false;
        for (number, &(.., id)) in live.iter().enumerate() {
            symbols.of_id[id as usize] = 256 + number as u32;
        }
        for (_, left, right, id) in live {
            let (left, right) = (symbols.of_id[left as usize], symbols.of_id[right as usize]);
            symbols.push(left, right, id, vocab.key(id).map_or(0, <[u8]>::len))?;
        }
        Ok(symbols)
    }

    /// Compiles a vocabulary whose ids are ranks, and gives the merges that it amounts to.
    ///
    /// Nearly all tables make each entry of entries with smaller ids. Llama 3's has a hundred that are made the other
    /// way round, so where entries stay out of reach the table is compiled as a list of all pairs that spell one.
    pub(super) fn from_ranks(vocab: &Vocab) -> Result<(Self, Vec<Merge>)> {
        let mut symbols = Self::bytes_only(vocab, vocab.entries());
        let mut scratch = Scratch::default();
        let mut parts = Vec::new();
        let mut out_of_reach = Vec::new();
        for (id, key) in vocab.iter().filter(|(_, key)| key.len() > 1) {
            parts.clear();
            // Only entries with a smaller id are symbols so far, so this is how the entry stands before its own merge.
            scratch.encode(&symbols, key, &mut parts);
            if let [left, right] = parts[..] {
                symbols.push(left, right, id, key.len())?;
            } else {
                out_of_reach.push((id, key));
            }
        }
        if out_of_reach.iter().any(|(id, key)| splits(vocab, *id, key).next().is_some()) {
            let pairs: Vec<Merge> = vocab.iter().flat_map(|(id, key)| splits(vocab, id, key)).collect();
            let all = Self::from_irregular(vocab, &pairs)?;
            if all.ids.len() > symbols.ids.len() {
                symbols = all;
            }
        }
        let merge = |(&(left, right), &result): (&(u32, u32), &u32)| Merge {
            left: symbols.id(left),
            right: symbols.id(right),
            result,
        };
        let merges = symbols.splits.iter().zip(&symbols.ids[256..]).map(merge).collect();
        Ok((symbols, merges))
    }

    /// Appends the product with this id, whose entry is `len` bytes long.
    fn push(&mut self, left: u32, right: u32, id: u32, len: usize) -> Result<()> {
        let symbol = self.ids.len();
        if symbol >= MAX_SYMBOLS {
            return Err(Error::unsupported("model.merges", format!("more than {MAX_SYMBOLS} live merges")));
        }
        self.pairs.insert(left, right, symbol as u32);
        self.splits.push((left, right));
        self.lens.push(len as u32);
        self.ids.push(id);
        self.of_id[id as usize] = symbol as u32;
        Ok(())
    }

    /// What two neighbours merge into, or [`NONE`]; the smaller of two products is made first.
    #[inline]
    pub(super) fn product(&self, left: u32, right: u32) -> u32 {
        self.pairs.get(left, right)
    }

    /// What two bytes merge into, or [`NONE`].
    #[inline]
    pub(super) fn product_of_bytes(&self, left: u8, right: u8) -> u32 {
        self.pairs.bytes[usize::from(left) << 8 | usize::from(right)]
    }

    /// The two parts of a product.
    fn split(&self, symbol: u32) -> (u32, u32) {
        self.splits[symbol as usize - 256]
    }

    #[inline]
    pub(super) fn id(&self, symbol: u32) -> u32 {
        self.ids[symbol as usize]
    }

    /// Length of a symbol in bytes.
    pub(super) fn len(&self, symbol: u32) -> usize {
        self.lens[symbol as usize] as usize
    }

    /// Whether merging leads from the bytes of an entry to the entry.
    pub(super) fn reaches(&self, id: u32) -> bool {
        self.of_id.get(id as usize).is_some_and(|&symbol| symbol != NONE)
    }

    pub(super) fn has_byte(&self, byte: u8) -> bool {
        self.ids[byte as usize] != NONE
    }

    pub(super) fn lacks_bytes(&self) -> bool {
        self.lacks_bytes
    }

    /// Whether [`Self::separable`] may be relied on.
    pub(super) fn regular(&self) -> bool {
        self.regular
    }

    /// Whether the encoding of `left` and `right` side by side is just these two: no merge ever crosses between them.
    ///
    /// Walks back in time: of the two tokens at the border the one made later is taken apart, and whatever the border
    /// tokens of that moment would merge into must not be due before it.
    pub(super) fn separable(&self, mut left: u32, mut right: u32) -> bool {
        let mut limit = NONE;
        loop {
            if self.product(left, right) < limit {
                return false;
            }
            if left.max(right) < 256 {
                return true;
            }
            if left > right {
                limit = left;
                left = self.split(left).1;
            } else {
                // Of equal merges the left one is made first, so a crossing merge equal to `right` would win.
                limit = right + 1;
                right = self.split(right).0;
            }
        }
    }
}

/// All pairs of entries that spell an entry, from the shortest left one on.
fn splits(vocab: &Vocab, id: u32, key: &[u8]) -> impl Iterator<Item = Merge> {
    (1..key.len()).filter_map(move |cut| {
        let (left, right) = (vocab.id(&key[..cut])?, vocab.id(&key[cut..])?);
        Some(Merge { left, right, result: id })
    })
}

/// Pairs of symbols to products: open addressing, pair and product packed in one word, and a plain array for pairs of
/// bytes, where most lookups of a short piece fall.
#[derive(Clone, Debug)]
struct PairTable {
    /// `(left, right, product)` in 21 bits each, shifted so that an empty slot is 0.
    slots: Vec<u64>,
    shift: u32,
    len: usize,
    /// Product of two bytes, or [`NONE`].
    bytes: Box<[u32]>,
}

impl PairTable {
    fn with_capacity(pairs: usize) -> Self {
        let slots = (pairs * 2).next_power_of_two().max(16);
        Self {
            slots: vec![0; slots],
            shift: 64 - slots.trailing_zeros(),
            len: 0,
            bytes: vec![NONE; 1 << 16].into_boxed_slice(),
        }
    }

    #[inline]
    fn key(left: u32, right: u32) -> u64 {
        u64::from(left) << SYMBOL_BITS | u64::from(right)
    }

    #[inline]
    fn slot(&self, key: u64) -> usize {
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    fn insert(&mut self, left: u32, right: u32, product: u32) {
        if left < 256 && right < 256 {
            self.bytes[(left << 8 | right) as usize] = product;
            return;
        }
        assert!(self.len * 2 <= self.slots.len(), "the table was made for the number of products");
        let key = Self::key(left, right);
        let mut slot = self.slot(key);
        while self.slots[slot] != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = key << SYMBOL_BITS | u64::from(product);
        self.len += 1;
    }

    #[inline]
    fn get(&self, left: u32, right: u32) -> u32 {
        if left < 256 && right < 256 {
            return self.bytes[(left << 8 | right) as usize];
        }
        let key = Self::key(left, right);
        let mut slot = self.slot(key);
        loop {
            let entry = self.slots[slot];
            if entry >> SYMBOL_BITS == key {
                return (entry & (MAX_SYMBOLS as u64 - 1)) as u32;
            }
            if entry == 0 {
                return NONE;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}
