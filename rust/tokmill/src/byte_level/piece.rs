//! What a model makes of one piece, token by token: the part of the byte level that each kind of model answers for
//! itself.
//!
//! The rest of the byte level asks three things. Which tokens stand for which bytes; whether a token is what the model
//! makes of its bytes ([`Standing`]); and which tokens can follow those of a piece that goes on. For BPE, encodings are
//! closed under taking prefixes, whatever the merges: what begins an encoding is the encoding of its bytes. So tokens
//! can follow if the piece with them encodes to them, which for lists that a trainer could have made is a test of two
//! neighbours ([`super::adjacency`]). Near the odd merges of other lists the piece is encoded again, from the last place
//! that no merge crosses. Models of characters are the same with an alphabet of characters; those without entry are
//! written byte by byte, and nothing merges with such a byte.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use hashbrown::HashMap;

use super::adjacency::Adjacency;
use super::bits::Bits;
use super::index::{Index, NONE, ROOT};
use super::kept::Kept;
use super::spelling::characters;
use super::tree::Node;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::bpe::{Bpe, BpeScratch};
use crate::pretokenize::open::Written;
use crate::regex::CharSet;
use crate::tokenizer::Tokenizer;

/// In which pieces a token can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In none: the model makes other tokens of its bytes.
    Nowhere,
    /// Where it is the whole piece.
    Alone,
    /// Wherever its neighbours allow it.
    Anywhere,
    /// In a character that is no entry, as one of its bytes.
    Apart,
}

/// Bytes of the sets of tokens that cannot follow which are kept.
const KEPT_BYTES: usize = 12 << 20;

/// What tokens of equal rank are about.
const RUN: &[u8] = b"  ";

/// A BPE model, as the byte level needs it.
#[derive(Debug)]
pub(super) struct PieceModel {
    tokenizer: Arc<Tokenizer>,
    standing: Vec<Standing>,
    adjacency: Adjacency,
    /// Entries that only a piece of their own becomes.
    alone: Index,
    late: Late,
    /// Ranks of the tokens that are bytes of characters without entry, with the byte.
    apart: Vec<(u8, u32)>,
    /// Ranks of the tokens with a run of blanks, where merges have equal ranks.
    with_runs: Vec<u32>,
    excluded: Mutex<Kept<Last, Arc<Bits>>>,
}

/// The last tokens of a piece, as far as what can follow depends on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Last {
    /// Merges fire in order.
    InOrder(u32),
    /// They may not. The tokens are those since the last place that no merge crosses.
    Any(Vec<u32>),
}

/// What is before a cut of an entry, and the ranks of the tokens that begin with what is behind it.
type Cut = (Vec<u8>, Range<u32>);

/// Where merges may fire out of order.
#[derive(Debug)]
enum Late {
    Nowhere,
    /// In texts that hold one of these entries.
    Near {
        search: AhoCorasick,
        /// Where one of them may be cut, by the byte before the cut.
        cuts: HashMap<u8, Vec<Cut>>,
        /// Ranks of the tokens that hold one.
        holders: Vec<u32>,
    },
    Anywhere,
}

impl PieceModel {
    pub(super) fn new(tokenizer: Arc<Tokenizer>, index: &Index) -> Result<Self> {
        let Model::Bpe(bpe) = tokenizer.model() else {
            return Err(Error::unsupported("model", "byte-level probabilities of a model that is not BPE"));
        };
        let Some(merges) = bpe.live_merges() else {
            let what = "byte-level probabilities of a BPE model with affixes, or that falls back to some bytes only";
            return Err(Error::unsupported("model", what));
        };
        let apart: Vec<(u8, u32)> = bpe
            .byte_entries()
            .map(|(byte, id)| (byte, index.rank(id)))
            .filter(|&(byte, rank)| rank != NONE && index.bytes(rank) == [byte])
            .collect();
        if !apart.is_empty() && bpe.options().ignore_merges {
            let what = "byte-level probabilities of a model that takes entries whole and falls back to bytes";
            return Err(Error::unsupported("model", what));
        }
        let mut standing: Vec<Standing> = (0..index.len() as u32).map(|rank| standing(bpe, index, rank)).collect();
        for &(_, rank) in &apart {
            standing[rank as usize] = Standing::Apart;
        }
        let alone = (0..index.len() as u32).filter(|&rank| standing[rank as usize] == Standing::Alone);
        let alone: Vec<(u32, &[u8])> = alone.map(|rank| (index.id(rank), index.bytes(rank))).collect();
        let alone = Index::new(alone, bpe.vocab().size());
        let late = Late::new(bpe, index)?;
        let adjacency = Adjacency::new(bpe, &merges, index);
        let has_run = |rank: &u32| bpe.has_equal_ranks() && memchr::memmem::find(index.bytes(*rank), RUN).is_some();
        let with_runs = (0..index.len() as u32).filter(has_run).collect();
        let excluded = Mutex::new(Kept::new(KEPT_BYTES / (index.vocab_size() / 8 + 64)));
        Ok(Self { tokenizer, standing, adjacency, alone, late, apart, with_runs, excluded })
    }

    fn bpe(&self) -> &Bpe {
        let Model::Bpe(bpe) = self.tokenizer.model() else { unreachable!("`new` takes BPE models alone") };
        bpe
    }

    pub(super) fn standing(&self, rank: u32) -> Standing {
        self.standing[rank as usize]
    }

    /// The tokens that stand for bytes of characters without entry, with the byte and the rank.
    pub(super) fn apart(&self) -> &[(u8, u32)] {
        &self.apart
    }

    /// How texts are written, given the bytes that tokens begin with.
    pub(super) fn written(&self, index: &Index) -> Written {
        if !self.bpe().reads_text() {
            let has = |byte: u8| index.find(&[byte]).is_some_and(|prefix| !index.exact(prefix).is_empty());
            return Written::Bytes(Box::new(std::array::from_fn(|byte| has(byte as u8))));
        }
        let atoms = self.bpe().atoms().filter(|&id| {
            let rank = index.rank(id);
            rank != NONE && self.standing(rank) == Standing::Anywhere
        });
        let (whole, others) = characters(&self.tokenizer, atoms);
        let complete = self.apart.iter().any(|&(byte, _)| byte >= 0x80);
        Written::Characters { whole, apart: if complete { others } else { CharSet::default() } }
    }

    /// Whether tokens of a piece that goes on need more than their last one to know what can follow.
    fn is_local(&self) -> bool {
        matches!(self.late, Late::Nowhere) && !self.bpe().has_equal_ranks()
    }

    /// The tokens that cannot follow `token` wherever merges fire in order.
    pub(super) fn cannot_follow(&self, token: u32, index: &Index) -> Arc<Bits> {
        self.kept(Last::InOrder(token), |_| Arc::new(self.adjacency.cannot_follow(token, index.vocab_size())))
    }

    fn kept(&self, last: Last, find: impl FnOnce(&Last) -> Arc<Bits>) -> Arc<Bits> {
        let lock = || self.excluded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&last) {
            return known;
        }
        let found = find(&last);
        lock().insert(last, found.clone());
        found
    }

    /// The tokens that cannot follow those of a piece that begins at byte `begin` and holds all of `node`'s tokens from
    /// there on.
    pub(super) fn excluded(&self, node: &Node, begin: usize, index: &Index) -> Arc<Bits> {
        if self.is_local() || self.standing(index.rank(node.token)) == Standing::Apart {
            // Nothing merges with a byte of a character without entry.
            return self.cannot_follow(node.token, index);
        }
        self.kept(Last::Any(since_cut(self.bpe(), node, begin, index)), |last| {
            let in_order = self.cannot_follow(node.token, index);
            let Last::Any(tokens) = last else { return in_order };
            let piece = bytes_of(tokens, index);
            let unsure = self.unsure(&piece, index);
            if unsure.is_empty() {
                return in_order;
            }
            let mut excluded = Bits::clone(&in_order);
            let mut test = Retest { bpe: self.bpe(), tokens, piece, scratch: BpeScratch::default(), found: Vec::new() };
            for rank in unsure {
                if test.holds(index, rank) {
                    excluded.remove(index.id(rank));
                } else {
                    excluded.insert(index.id(rank));
                }
            }
            Arc::new(excluded)
        })
    }

    /// The tokens for which neighbours do not decide whether they can follow `piece`.
    fn unsure(&self, piece: &[u8], index: &Index) -> Vec<u32> {
        let all = 0..index.len() as u32;
        let mut unsure: Vec<u32> = match &self.late {
            Late::Nowhere => Vec::new(),
            Late::Near { search, cuts, holders } if !search.is_match(piece) => {
                let near = piece.last().and_then(|last| cuts.get(last)).into_iter().flatten();
                let begun = near.filter(|(head, _)| piece.ends_with(head)).flat_map(|(_, rest)| rest.clone());
                // Tokens that end inside of an odd entry do not hold it.
                holders.iter().copied().chain(begun).collect()
            }
            _ => all.clone().collect(),
        };
        if self.bpe().has_equal_ranks() {
            let begun = index.find(b" ").filter(|_| piece.ends_with(b" ")).map_or(0..0, |blank| index.range(blank));
            let anywhere = if memchr::memmem::find(piece, RUN).is_some() { all } else { 0..0 };
            unsure.extend(self.with_runs.iter().copied().chain(begun).chain(anywhere));
        }
        unsure.sort_unstable();
        unsure.dedup();
        // No merge crosses between bytes that stand together in no entry, in whatever order merges fire.
        let (cuts, last) = (self.bpe().cuts(), piece.last().copied());
        let is_apart = |rank: u32| match (cuts, last, index.bytes(rank).first()) {
            (Some(cuts), Some(last), Some(&first)) => cuts.between(last, first),
            _ => false,
        };
        unsure.retain(|&rank| self.standing(rank) == Standing::Anywhere && !is_apart(rank));
        unsure
    }

    /// Whether a piece of several tokens would be one token instead.
    pub(super) fn is_alone(&self, node: &Node, begin: usize, rank: u32, index: &Index) -> bool {
        if self.alone.len() == 0 {
            return false;
        }
        let mut piece = bytes_of(&node.tokens_from(begin), index);
        piece.extend_from_slice(index.bytes(rank));
        self.alone.find(&piece).is_some_and(|prefix| !self.alone.exact(prefix).is_empty())
    }

    /// The tokens that would complete a piece of several tokens that would be one token instead.
    pub(super) fn completing_alone(&self, node: &Node, begin: usize, index: &Index) -> Vec<u32> {
        if self.alone.len() == 0 {
            return Vec::new();
        }
        let piece = bytes_of(&node.tokens_from(begin), index);
        let Some(prefix) = self.alone.find(&piece) else { return Vec::new() };
        let rests = self.alone.range(prefix).map(|entry| &self.alone.bytes(entry)[piece.len()..]);
        let ends = rests.filter(|rest| !rest.is_empty()).filter_map(|rest| index.find(rest));
        ends.filter(|&end| end != ROOT).flat_map(|end| index.exact(end)).collect()
    }
}

impl Late {
    fn new(bpe: &Bpe, index: &Index) -> Result<Self> {
        let Some(late) = bpe.late_entries() else { return Ok(Self::Anywhere) };
        if late.is_empty() {
            return Ok(Self::Nowhere);
        }
        let keys: Vec<Vec<u8>> = late.iter().filter_map(|&id| bpe.vocab().key(id)).map(<[u8]>::to_vec).collect();
        let search = AhoCorasick::new(&keys).map_err(|error| Error::format("model.merges", error.to_string()))?;
        let holders = (0..index.len() as u32).filter(|&rank| search.is_match(index.bytes(rank))).collect();
        let mut cuts: HashMap<u8, Vec<Cut>> = HashMap::new();
        for (key, cut) in keys.iter().flat_map(|key| (1..key.len()).map(move |cut| (key, cut))) {
            let (head, rest) = key.split_at(cut);
            if let Some(prefix) = index.find(rest) {
                cuts.entry(head[cut - 1]).or_default().push((head.to_vec(), index.range(prefix)));
            }
        }
        Ok(Self::Near { search, cuts, holders })
    }
}

/// Encodes a piece again with one more token.
struct Retest<'a> {
    bpe: &'a Bpe,
    tokens: &'a [u32],
    piece: Vec<u8>,
    scratch: BpeScratch,
    found: Vec<u32>,
}

impl Retest<'_> {
    /// Whether the piece with the token encodes to its tokens and the token.
    fn holds(&mut self, index: &Index, rank: u32) -> bool {
        let length = self.piece.len();
        self.piece.extend_from_slice(index.bytes(rank));
        self.found.clear();
        self.bpe.merge(&self.piece, &mut self.scratch, &mut self.found);
        self.piece.truncate(length);
        self.found.split_last() == Some((&index.id(rank), self.tokens))
    }
}

/// The last tokens of a piece that begins at byte `begin`, from the last place on that no merge crosses.
fn since_cut(bpe: &Bpe, node: &Node, begin: usize, index: &Index) -> Vec<u32> {
    let Some(cuts) = bpe.cuts() else { return node.tokens_from(begin) };
    let mut tokens = vec![node.token];
    let mut first = index.bytes(index.rank(node.token))[0];
    let mut node = node.parent.as_deref();
    while let Some(before) = node.filter(|before| before.end > begin) {
        let bytes = index.bytes(index.rank(before.token));
        if bytes.last().is_some_and(|&last| cuts.between(last, first)) {
            break;
        }
        tokens.push(before.token);
        first = bytes[0];
        node = before.parent.as_deref();
    }
    tokens.reverse();
    tokens
}

/// In which pieces a token can stand that is no byte of a character without entry.
fn standing(bpe: &Bpe, index: &Index, rank: u32) -> Standing {
    let (id, bytes) = (index.id(rank), index.bytes(rank));
    let has_run = bpe.has_equal_ranks() && memchr::memmem::find(bytes, RUN).is_some();
    let is_made = if has_run {
        let mut ids = Vec::new();
        bpe.merge(bytes, &mut BpeScratch::default(), &mut ids);
        ids == [id]
    } else {
        bpe.reaches(id)
    };
    match () {
        () if is_made => Standing::Anywhere,
        () if bpe.options().ignore_merges => Standing::Alone,
        () => Standing::Nowhere,
    }
}

fn bytes_of(tokens: &[u32], index: &Index) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &token in tokens {
        bytes.extend_from_slice(index.bytes(index.rank(token)));
    }
    bytes
}
