//! Symbols: the tokens that merging can reach, numbered in the order in which merging makes them.

// What the vector paths call is compiled for their instructions only where it is inlined.
#![allow(clippy::inline_always)]

use aho_corasick::AhoCorasick;
use hashbrown::HashMap;

use super::alphabet::{Alphabet, BYTES};
use super::batch::Batch;
use super::heap::{Heap, Product};
use super::merge::Scratch;
use super::pairs::PairTable;
use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::Vocab;

/// "No symbol", and "no id".
pub(super) const NONE: u32 = u32::MAX;

/// Entries of a table of ranks that are merged side by side.
const WAVE: usize = 64;

/// Merges whose pairs are fetched ahead while a list is compiled.
const AHEAD: usize = 12;

/// Symbol numbers stay below this, so that a pair and its product fit in 64 bits.
pub(super) const MAX_SYMBOLS: usize = (1 << SYMBOL_BITS) - 1;
pub(super) const SYMBOL_BITS: u32 = 21;
/// Stands where there is no symbol, and merges with none.
pub(super) const NO_SYMBOL: u32 = MAX_SYMBOLS as u32;

/// A compiled merge list. The first symbols are those of the alphabet, the *atoms*: the bytes, then characters where
/// merging begins with these. The others are products, each with its one last merge.
#[derive(Clone, Debug)]
pub(super) struct Symbols {
    pairs: PairTable,
    /// Number of atoms.
    atoms: u32,
    /// The two parts of each product.
    splits: Vec<(u32, u32)>,
    /// Vocabulary id of each symbol; [`NONE`] for a byte without entry.
    ids: Vec<u32>,
    /// Length of each symbol in atoms.
    lens: Vec<u32>,
    /// Symbol of each id; [`NONE`] for an entry that merging cannot reach, and for one that stands for a byte only
    /// where no entry spells it (`<0x0A>`).
    of_id: Vec<u32>,
    order: Order,
}

/// Whether merges build on products of earlier merges, as a trainer's do. Where that holds, tokens are made in order of
/// their symbols.
#[derive(Clone, Debug)]
enum Order {
    /// All do.
    Regular,
    /// All do but those whose result is found by this search for these entries.
    RegularWithout(AhoCorasick, Vec<u32>),
    /// Nothing is known.
    Unknown,
}

/// A merge that can fire: its rank, its two parts and its result, as ids.
type Live = (u32, u32, u32, u32);

impl Symbols {
    fn atoms_only(vocab: &Vocab, alphabet: &Alphabet, products: usize) -> Self {
        let mut of_id = vec![NONE; vocab.size()];
        let mut ids = alphabet.ids().to_vec();
        let atoms = ids.len();
        for (symbol, &id) in ids.iter().enumerate().filter(|(_, id)| **id != NONE) {
            let stands_for_itself = symbol >= BYTES || vocab.key(id) == Some(&[symbol as u8]);
            if stands_for_itself {
                of_id[id as usize] = symbol as u32;
            }
        }
        ids.reserve(products);
        Self {
            pairs: PairTable::with_capacity(products),
            atoms: atoms as u32,
            splits: Vec::with_capacity(products),
            ids,
            lens: vec![1; atoms],
            of_id,
            order: Order::Regular,
        }
    }

    /// Compiles merges in order of rank, already checked against the vocabulary.
    ///
    /// The few lists that are not regular have only a few merges that build on later ones. Those matter to the entries
    /// that hold what they make, so these entries are merged from their bytes to see how they come about.
    pub(super) fn from_merges(vocab: &Vocab, merges: &[Merge], alphabet: &Alphabet) -> Result<Self> {
        let mut symbols = Self::atoms_only(vocab, alphabet, merges.len().min(vocab.entries()));
        let mut orphans = Vec::new();
        let mut ranks = Vec::with_capacity(vocab.entries());
        let mut repeated = false;
        for (rank, merge) in merges.iter().enumerate() {
            if let Some(ahead) = merges.get(rank + AHEAD) {
                let (left, right) = (symbols.of_id[ahead.left as usize], symbols.of_id[ahead.right as usize]);
                if left != NONE && right != NONE {
                    symbols.pairs.prefetch(left, right);
                }
            }
            let (left, right) = (symbols.of_id[merge.left as usize], symbols.of_id[merge.right as usize]);
            let made = symbols.of_id[merge.result as usize];
            if left == NONE || right == NONE {
                orphans.push(merge);
            } else if made == NONE {
                if symbols.separable(left, right) {
                    let len = symbols.len(left) + symbols.len(right);
                    symbols.push(left, right, merge.result, len)?;
                    ranks.push(rank as u32);
                }
            } else if made >= symbols.atoms && symbols.split(made) == (left, right) {
                // A live pair is listed again, and its later rank counts.
                repeated = true;
            }
        }
        let is_symbol = |id: u32| symbols.of_id[id as usize] != NONE;
        // An entry that is reached otherwise is made before a pair with a later part can form inside it.
        let late: Vec<u32> = orphans
            .iter()
            .filter(|merge| is_symbol(merge.left) && is_symbol(merge.right) && !is_symbol(merge.result))
            .map(|merge| merge.result)
            .collect();
        if late.is_empty() && !repeated {
            return Ok(symbols);
        }
        let by_pair: HashMap<(u32, u32), Product> = merges
            .iter()
            .zip(0..)
            .map(|(merge, rank)| ((merge.left, merge.right), Product { rank, token: merge.result }))
            .collect();
        let order = if repeated { Order::Unknown } else { Order::without(vocab, &late)? };
        symbols.recompile(vocab, alphabet, &ranks, order, |left, right| by_pair.get(&(left, right)).copied())
    }

    /// Compiles a vocabulary whose ids are ranks, and gives the merges that it amounts to.
    ///
    /// Nearly all tables make each entry of entries with smaller ids. Llama 3's has a hundred that are made the other
    /// way round.
    pub(super) fn from_ranks(vocab: &Vocab, alphabet: &Alphabet) -> Result<(Self, Vec<Merge>)> {
        let mut symbols = Self::atoms_only(vocab, alphabet, vocab.entries());
        let mut ranks = Vec::with_capacity(vocab.entries());
        let mut scratch = Scratch::default();
        let mut parts = Vec::new();
        let mut late = Vec::new();
        let mut entries = vocab.iter().filter(|(_, key)| key.len() > 1);
        let (mut wave, mut batch, mut splits) = (Vec::with_capacity(WAVE), Batch::default(), Vec::new());
        loop {
            wave.clear();
            wave.extend(entries.by_ref().take(WAVE));
            if wave.is_empty() {
                break;
            }
            symbols.split_together(&wave, &mut batch, &mut splits);
            for (&(id, key), &split) in wave.iter().zip(&splits) {
                parts.clear();
                // Only entries with a smaller id are symbols so far, so this is how the entry stands before its own merge.
                match split {
                    Some((left, right)) => parts.extend([left, right]),
                    None => scratch.encode(&symbols, key, key, &mut parts),
                }
                if let [left, right] = parts[..] {
                    symbols.push(left, right, id, key.len())?;
                    ranks.push(id);
                } else if (1..key.len()).any(|cut| vocab.id(&key[..cut]).is_some() && vocab.id(&key[cut..]).is_some()) {
                    late.push(id);
                }
            }
        }
        if !late.is_empty() {
            let order = Order::without(vocab, &late)?;
            symbols = symbols.recompile(vocab, alphabet, &ranks, order, |left, right| {
                let token = vocab.id(&[vocab.key(left)?, vocab.key(right)?].concat())?;
                Some(Product { rank: token, token })
            })?;
        }
        let merge = |(&(left, right), &result): (&(u32, u32), &u32)| Merge {
            left: symbols.id(left),
            right: symbols.id(right),
            result,
        };
        let merges = symbols.splits.iter().zip(&symbols.ids[BYTES..]).map(merge).collect();
        Ok((symbols, merges))
    }

    /// The two symbols that each of some entries, all without a symbol, stands as, if they are two. Symbols that are made
    /// later do not change that, since all they could merge is these two.
    fn split_together(&self, wave: &[(u32, &[u8])], batch: &mut Batch, splits: &mut Vec<Option<(u32, u32)>>) {
        splits.clear();
        let pushed: Vec<bool> = wave.iter().map(|(_, key)| batch.push(None, key)).collect();
        batch.merge(self, None);
        let mut number = 0;
        for pushed in pushed {
            let mut split = None;
            if pushed {
                let mut symbols = batch.symbols(number, 0);
                number += 1;
                split = match (symbols.next(), symbols.next(), symbols.next()) {
                    (Some(left), Some(right), None) => Some((left, right)),
                    _ => None,
                };
            }
            split.inspect(|&(left, right)| self.pairs.prefetch(left, right));
            splits.push(split);
        }
        batch.clear();
    }

    /// Compiles again, given which entries the order is known not to hold for: these are merged from their bytes by
    /// `product`, the others come about as they do here. `ranks` are those of the products.
    fn recompile(
        self,
        vocab: &Vocab,
        alphabet: &Alphabet,
        ranks: &[u32],
        order: Order,
        product: impl Fn(u32, u32) -> Option<Product>,
    ) -> Result<Self> {
        let mut live: Vec<Live> = Vec::with_capacity(self.splits.len());
        for ((&(left, right), &id), &rank) in self.splits.iter().zip(&self.ids[self.atoms as usize..]).zip(ranks) {
            if vocab.key(id).is_some_and(|key| order.holds_in(key)) {
                live.push((rank, self.id(left), self.id(right), id));
            }
        }
        let mut heap = Heap::default();
        let mut atoms = Vec::new();
        let entries = vocab.iter().filter(|(id, key)| key.len() > 1 && !vocab.is_inexpressible(*id));
        for (id, key) in entries.filter(|(_, key)| !order.holds_in(key)) {
            if !alphabet.knows(key) {
                continue;
            }
            atoms.clear();
            alphabet.append_symbols(key, &mut atoms);
            let ids = atoms.iter().map(|&atom| self.id(atom));
            if let Some((Product { rank, token }, (left, right))) = heap.merge(ids, &product, || false)
                && heap.is_one()
                && token == id
            {
                live.push((rank, left, right, id));
            }
        }
        live.sort_unstable();
        let mut symbols = Self::atoms_only(vocab, alphabet, live.len());
        symbols.order = order;
        for (number, &(.., id)) in live.iter().enumerate() {
            symbols.of_id[id as usize] = symbols.atoms + number as u32;
        }
        for (_, left, right, id) in live {
            let (left, right) = (symbols.of_id[left as usize], symbols.of_id[right as usize]);
            symbols.push(left, right, id, vocab.key(id).map_or(0, |key| alphabet.count(key)))?;
        }
        Ok(symbols)
    }

    /// Appends the product with this id, which is `len` atoms long.
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

    /// As [`Self::product`], for two bytes.
    #[inline(always)]
    pub(super) fn product_of_bytes(&self, left: u8, right: u8) -> u32 {
        self.pairs.of_bytes(left, right)
    }

    /// The products, each with its left part.
    pub(super) fn products(&self) -> impl Iterator<Item = (u32, u32)> {
        (self.atoms..).zip(self.splits.iter().map(|&(left, _)| left))
    }

    /// The two parts of a symbol, if it is a product.
    pub(super) fn parts(&self, symbol: u32) -> Option<(u32, u32)> {
        (symbol >= self.atoms).then(|| self.split(symbol))
    }

    /// Whether two that are not both bytes may have a product: `false` is certain, and what is said where `unless` holds.
    /// Either may be [`NO_SYMBOL`].
    #[inline(always)]
    pub(super) fn may_merge(&self, left: u32, right: u32, unless: bool) -> bool {
        self.pairs.may_merge(left, right, unless)
    }

    /// The product of two for which [`Self::may_merge`] holds, or [`NONE`].
    #[inline(always)]
    pub(super) fn find(&self, left: u32, right: u32) -> u32 {
        self.pairs.find(left, right)
    }

    /// The two parts of a product.
    fn split(&self, symbol: u32) -> (u32, u32) {
        self.splits[(symbol - self.atoms) as usize]
    }

    #[inline]
    pub(super) fn id(&self, symbol: u32) -> u32 {
        self.ids[symbol as usize]
    }

    /// Length of a symbol in atoms.
    pub(super) fn len(&self, symbol: u32) -> usize {
        self.lens[symbol as usize] as usize
    }

    /// Whether merging leads from the atoms of an entry to the entry.
    pub(super) fn reaches(&self, id: u32) -> bool {
        self.of_id.get(id as usize).is_some_and(|&symbol| symbol != NONE)
    }

    /// All products as merges, in order of their symbols.
    pub(super) fn live(&self) -> impl Iterator<Item = Merge> {
        let made = self.splits.iter().zip(&self.ids[self.atoms as usize..]);
        made.map(|(&(left, right), &result)| Merge { left: self.id(left), right: self.id(right), result })
    }

    /// The entries that are made out of order; `None` where that is not known.
    pub(super) fn late(&self) -> Option<&[u32]> {
        match &self.order {
            Order::Regular => Some(&[]),
            Order::RegularWithout(_, late) => Some(late),
            Order::Unknown => None,
        }
    }

    /// Whether tokens of a text are surely made in order of their symbols, so that [`Self::separable`] holds in it.
    pub(super) fn ordered_in(&self, text: &[u8]) -> bool {
        self.order.holds_in(text)
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
            if left.max(right) < self.atoms {
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

impl Order {
    /// All merges build on earlier ones but those that make one of these entries.
    fn without(vocab: &Vocab, late: &[u32]) -> Result<Self> {
        let keys = late.iter().filter_map(|&id| vocab.key(id));
        let search = AhoCorasick::new(keys).map_err(|error| Error::format("model.merges", error.to_string()))?;
        Ok(Self::RegularWithout(search, late.to_vec()))
    }

    /// Whether nothing out of order can happen in a text.
    fn holds_in(&self, text: &[u8]) -> bool {
        match self {
            Self::Regular => true,
            Self::RegularWithout(search, _) => !search.is_match(text),
            Self::Unknown => false,
        }
    }
}
