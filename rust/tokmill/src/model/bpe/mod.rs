//! Byte-pair encoding over bytes: merge the neighbours of lowest rank, leftmost first, until none can merge.
//!
//! A merge list is compiled into *symbols*: the 256 bytes, then one symbol for each entry that merging can reach, in
//! order of the rank at which it is made. A string of bytes is made into one token in one way only (the merges inside
//! it happen in the same order whatever stands around it), so each reachable entry has one last merge, and all other
//! merges that spell it can never fire. Symbol numbers are therefore priority, result and identity at once, and one
//! probe of a packed pair table answers all three.
//!
//! Three ways of encoding, all exact:
//! - short pieces: merge in a small array, quadratic in a length that is bounded;
//! - long pieces: encode chunks and join them where a local test (`Symbols::separable`) proves that no merge crosses,
//!   linear time (the test is that of rust-gems' `bpe`);
//! - lists that no trainer could have made: a heap, `O(n log n)`.

mod cuts;
mod heap;
mod merge;
mod small;
mod symbols;
mod window;

pub use cuts::SafeCuts;

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::Vocab;
use merge::Scratch;
use symbols::Symbols;

/// Switches of a BPE model, named as in tokenizers' JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BpeOptions {
    /// A piece that is an entry of the vocabulary becomes that entry without merging.
    pub ignore_merges: bool,
}

/// A validated byte-pair encoding over bytes.
#[derive(Clone, Debug)]
pub struct Bpe {
    vocab: Vocab,
    merges: Vec<Merge>,
    options: BpeOptions,
    symbols: Symbols,
    cuts: SafeCuts,
    /// Whether entries are taken whole and some are not reached by merging.
    unmerged: bool,
}

/// Reusable memory for encoding pieces.
#[derive(Debug, Default)]
pub struct BpeScratch {
    merge: Scratch,
    symbols: Vec<u32>,
}

impl Bpe {
    /// Checks and compiles a vocabulary and its merges, which are in order of rank. A pair that is listed twice has
    /// its later rank. Fails where a merge names an id without entry or does not spell its result.
    pub fn new(vocab: Vocab, merges: Vec<Merge>, options: BpeOptions) -> Result<Self> {
        check(&vocab, &merges)?;
        let symbols = Symbols::from_merges(&vocab, &merges)?;
        Ok(Self::assemble(vocab, merges, options, symbols))
    }

    /// A model that merges whatever neighbours form the entry with the smallest id, and takes a piece that is an entry
    /// whole (tiktoken's rule). `vocab` holds the ranked entries alone, and needs one for each of the 256 bytes.
    pub fn from_ranks(vocab: Vocab) -> Result<Self> {
        for byte in 0..=255 {
            if vocab.id(&[byte]).is_none() {
                return Err(Error::format("vocabulary", format!("has no entry for the byte 0x{byte:02X}")));
            }
        }
        let (symbols, merges) = Symbols::from_ranks(&vocab)?;
        Ok(Self::assemble(vocab, merges, BpeOptions { ignore_merges: true }, symbols))
    }

    fn assemble(vocab: Vocab, merges: Vec<Merge>, options: BpeOptions, symbols: Symbols) -> Self {
        let unmerged =
            options.ignore_merges && vocab.iter().any(|(id, _)| !symbols.reaches(id) && !vocab.is_inexpressible(id));
        let cuts = SafeCuts::new(&vocab);
        Self { vocab, merges, options, symbols, cuts, unmerged }
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// The merges in order of rank, as the file lists them.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The switches.
    pub fn options(&self) -> &BpeOptions {
        &self.options
    }

    /// Where a piece may be cut without changing its ids.
    pub fn cuts(&self) -> &SafeCuts {
        &self.cuts
    }

    /// The id of a piece that is an entry which merging does not lead to, where entries are taken whole.
    pub fn whole_unmerged(&self, piece: &[u8]) -> Option<u32> {
        let id = if self.has_unmerged() { self.vocab.id(piece)? } else { return None };
        (!self.symbols.reaches(id)).then_some(id)
    }

    /// Whether there are entries that a piece becomes but that merging does not lead to.
    pub fn has_unmerged(&self) -> bool {
        self.unmerged
    }

    /// Entries that are their own encoding, in order of id, with their id.
    pub fn whole_entries(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let all = self.options.ignore_merges;
        self.vocab.iter().filter(move |(id, _)| !self.vocab.is_inexpressible(*id) && (all || self.symbols.reaches(*id)))
    }

    /// Appends the ids of a non-empty piece by merging, also where the piece is an entry. A byte without entry is
    /// dropped, as tokenizers does.
    pub fn merge(&self, piece: &[u8], scratch: &mut BpeScratch, ids: &mut Vec<u32>) {
        let symbols = &self.symbols;
        if self.lacks_bytes_of(piece) {
            let kept: Vec<u8> = piece.iter().copied().filter(|&byte| symbols.has_byte(byte)).collect();
            return self.merge_known(&kept, scratch, ids);
        }
        self.merge_known(piece, scratch, ids);
    }

    fn merge_known(&self, piece: &[u8], scratch: &mut BpeScratch, ids: &mut Vec<u32>) {
        scratch.symbols.clear();
        scratch.merge.encode(&self.symbols, piece, &mut scratch.symbols);
        ids.extend(scratch.symbols.iter().map(|&symbol| self.symbols.id(symbol)));
    }

    /// Appends how many bytes of `piece` each of its `ids` stands for: as many as its entry has, until the piece is
    /// used up (bytes without entry are dropped, and those that follow move up).
    pub fn lengths(&self, piece: &[u8], ids: &[u32], lengths: &mut Vec<usize>) {
        let mut left = piece.len();
        lengths.extend(ids.iter().map(|&id| {
            let len = self.vocab.key(id).map_or(0, <[u8]>::len).min(left);
            left -= len;
            len
        }));
    }

    /// The first byte of `text` that has no entry although no text can contain it (it never stands in UTF-8).
    pub fn first_unencodable(&self, text: &[u8]) -> Option<(usize, u8)> {
        if !self.symbols.lacks_bytes() {
            return None;
        }
        let foreign = |byte: u8| matches!(byte, 0xC0 | 0xC1 | 0xF5..) && !self.symbols.has_byte(byte);
        text.iter().position(|&byte| foreign(byte)).map(|at| (at, text[at]))
    }

    /// Whether some byte of `piece` has no entry.
    pub fn lacks_bytes_of(&self, piece: &[u8]) -> bool {
        self.symbols.lacks_bytes() && piece.iter().any(|&byte| !self.symbols.has_byte(byte))
    }
}

/// Every merge must name entries, and its result must be their concatenation.
fn check(vocab: &Vocab, merges: &[Merge]) -> Result<()> {
    for (rank, merge) in merges.iter().enumerate() {
        let at = || format!("model.merges[{rank}]");
        let key =
            |id: u32| vocab.key(id).ok_or_else(|| Error::format(at(), format!("id {id} is not in the vocabulary")));
        let (left, right, result) = (key(merge.left)?, key(merge.right)?, key(merge.result)?);
        let spells = result.len() == left.len() + right.len() && result.starts_with(left) && result.ends_with(right);
        if !spells {
            return Err(Error::format(at(), "the result is not the left token followed by the right one"));
        }
    }
    Ok(())
}
