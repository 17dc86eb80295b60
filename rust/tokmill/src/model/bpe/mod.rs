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
//!
//! Models over characters are the same with an alphabet of characters. Where tokens are more than strings of characters
//! (affixes, and a few oddities), nothing of this holds, and merging goes by ids (`literal`).

mod alphabet;
mod cuts;
mod heap;
mod literal;
mod merge;
mod sample;
mod small;
mod symbols;
mod window;

pub use cuts::SafeCuts;
pub use sample::Sampler;

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::{Spelling, Vocab};
use alphabet::Alphabet;
use literal::{Counted, Literal, byte_tokens};
use merge::Scratch;
use symbols::{NONE, Symbols};

/// Switches of a BPE model, named as in tokenizers' JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BpeOptions {
    /// How often a merge is skipped, from 0 to 1. Encoding never skips any; [`Bpe::sample`] does.
    pub dropout: Option<f32>,
    /// The token of a character that has no other; without one, such characters are dropped.
    pub unk_token: Option<String>,
    /// What stands before every character but the first of a piece.
    pub continuing_subword_prefix: Option<String>,
    /// What stands behind the last character of a piece.
    pub end_of_word_suffix: Option<String>,
    /// Neighbouring unknown characters are one token.
    pub fuse_unk: bool,
    /// A character without entry becomes the tokens `<0x00>` to `<0xFF>` of its bytes, where all of these exist.
    pub byte_fallback: bool,
    /// A piece that is an entry of the vocabulary becomes that entry without merging.
    pub ignore_merges: bool,
}

/// A validated byte-pair encoding.
#[derive(Clone, Debug)]
pub struct Bpe {
    vocab: Vocab,
    merges: Vec<Merge>,
    options: BpeOptions,
    engine: Engine,
    /// Whether entries are taken whole and some are not reached by merging.
    unmerged: bool,
}

/// How pieces are merged.
#[derive(Clone, Debug)]
enum Engine {
    /// By symbols.
    Symbols(Box<Compiled>),
    /// By ids.
    Literal(Literal),
}

/// What merging by symbols needs.
#[derive(Clone, Debug)]
struct Compiled {
    alphabet: Alphabet,
    symbols: Symbols,
    cuts: SafeCuts,
    /// The token of what the alphabet does not know; without one it is dropped.
    unknown: Option<u32>,
    fuse_unk: bool,
}

/// Reusable memory for encoding pieces.
#[derive(Debug, Default)]
pub struct BpeScratch {
    merge: Scratch,
    atoms: Vec<u32>,
    symbols: Vec<u32>,
    tokens: Vec<Counted>,
}

/// A part of a piece, as the alphabet sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// Text that merging can begin with.
    Known(Vec<u8>),
    /// An unknown token.
    Unknown(u32),
}

impl Bpe {
    /// Checks and compiles a vocabulary and its merges, which are in order of rank. A pair that is listed twice has
    /// its later rank. Fails where a merge names an id without entry or does not spell its result, and where the
    /// unknown token is not an entry although some text would need it.
    pub fn new(vocab: Vocab, merges: Vec<Merge>, options: BpeOptions) -> Result<Self> {
        check(&vocab, &merges, options.continuing_subword_prefix.as_deref().unwrap_or_default())?;
        if options.dropout.is_some_and(|dropout| !(0.0..=1.0).contains(&dropout)) {
            return Err(Error::format("model.dropout", "must be from 0 to 1"));
        }
        let engine = match Compiled::new(&vocab, &merges, &options)? {
            Some(compiled) => Engine::Symbols(Box::new(compiled)),
            None => Engine::Literal(Literal::new(&vocab, &merges, &options)),
        };
        Self::assemble(vocab, merges, options, engine)
    }

    /// A model that merges whatever neighbours form the entry with the smallest id, and takes a piece that is an entry
    /// whole (tiktoken's rule). `vocab` holds the ranked entries alone, and needs one for each of the 256 bytes.
    pub fn from_ranks(vocab: Vocab) -> Result<Self> {
        for byte in 0..=255 {
            if vocab.id(&[byte]).is_none() {
                return Err(Error::format("vocabulary", format!("has no entry for the byte 0x{byte:02X}")));
            }
        }
        let alphabet = Alphabet::new(&vocab, None);
        let (symbols, merges) = Symbols::from_ranks(&vocab, &alphabet)?;
        let cuts = SafeCuts::new(&vocab, false);
        let compiled = Compiled { alphabet, symbols, cuts, unknown: None, fuse_unk: false };
        let options = BpeOptions { ignore_merges: true, ..BpeOptions::default() };
        Self::assemble(vocab, merges, options, Engine::Symbols(Box::new(compiled)))
    }

    fn assemble(vocab: Vocab, merges: Vec<Merge>, options: BpeOptions, engine: Engine) -> Result<Self> {
        let reaches = |id| match &engine {
            Engine::Symbols(compiled) => compiled.symbols.reaches(id),
            Engine::Literal(_) => false,
        };
        let unmerged = options.ignore_merges && vocab.iter().any(|(id, _)| !reaches(id) && !vocab.is_inexpressible(id));
        let bpe = Self { vocab, merges, options, engine, unmerged };
        if let Some(token) = bpe.options.unk_token.as_ref().filter(|token| bpe.vocab.id_spelled(token).is_none())
            && bpe.has_unknowns()
        {
            return Err(Error::format("model.unk_token", format!("{token:?} is not in the vocabulary")));
        }
        Ok(bpe)
    }

    /// Whether there is text without tokens of its own.
    fn has_unknowns(&self) -> bool {
        match &self.engine {
            Engine::Symbols(compiled) => compiled.alphabet.lacks(),
            Engine::Literal(_) => true,
        }
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

    /// Where a piece that is known may be cut without changing its ids, if that can be told.
    pub fn cuts(&self) -> Option<&SafeCuts> {
        match &self.engine {
            Engine::Symbols(compiled) => Some(&compiled.cuts),
            Engine::Literal(_) => None,
        }
    }

    /// The id of a piece that is an entry which merging does not lead to, where entries are taken whole.
    pub fn whole_unmerged(&self, piece: &[u8]) -> Option<u32> {
        let id = if self.has_unmerged() { self.vocab.id(piece)? } else { return None };
        (!self.reaches(id)).then_some(id)
    }

    fn reaches(&self, id: u32) -> bool {
        match &self.engine {
            Engine::Symbols(compiled) => compiled.symbols.reaches(id),
            Engine::Literal(_) => false,
        }
    }

    /// Whether there are entries that a piece becomes but that merging does not lead to.
    pub fn has_unmerged(&self) -> bool {
        self.unmerged
    }

    /// Entries that are their own encoding, in order of id, with their id. Some may be left out.
    pub fn whole_entries(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let all = self.options.ignore_merges;
        self.vocab.iter().filter(move |(id, _)| !self.vocab.is_inexpressible(*id) && (all || self.reaches(*id)))
    }

    /// Whether texts must be UTF-8, since the model is one of characters.
    pub fn reads_text(&self) -> bool {
        matches!(self.vocab.spelling(), Spelling::Plain | Spelling::Metaspace)
    }

    /// Whether all of a piece has symbols, so that it may be cut ([`Self::cuts`]).
    pub fn knows(&self, piece: &[u8]) -> bool {
        match &self.engine {
            Engine::Symbols(compiled) => compiled.alphabet.knows(piece),
            Engine::Literal(_) => false,
        }
    }

    /// What a piece comes to that may hold unknown text: stretches that are encoded apart.
    pub fn stretches(&self, piece: &[u8]) -> Vec<Stretch> {
        match &self.engine {
            Engine::Symbols(compiled) => compiled.stretches(piece),
            Engine::Literal(_) => vec![Stretch::Known(piece.to_vec())],
        }
    }

    /// Appends the ids of a non-empty piece by merging, also where the piece is an entry.
    pub fn merge(&self, piece: &[u8], scratch: &mut BpeScratch, ids: &mut Vec<u32>) {
        match &self.engine {
            Engine::Symbols(compiled) if compiled.alphabet.knows(piece) => compiled.merge(piece, scratch, ids),
            Engine::Symbols(compiled) => {
                for stretch in compiled.stretches(piece) {
                    match stretch {
                        Stretch::Known(known) => compiled.merge(&known, scratch, ids),
                        Stretch::Unknown(id) => ids.push(id),
                    }
                }
            }
            Engine::Literal(literal) => {
                let heap = &mut scratch.merge.heap;
                literal.encode(&self.vocab, &self.options, piece, heap, || false, &mut scratch.tokens);
                ids.extend(scratch.tokens.iter().map(|&(id, _)| id));
            }
        }
    }

    /// Appends how many bytes of `piece` each of its `ids` stands for. Characters that are dropped stand for nothing,
    /// and what follows them moves up, as in tokenizers.
    pub fn lengths(&self, piece: &[u8], ids: &[u32], lengths: &mut Vec<usize>) {
        let mut left = piece.len();
        let mut take = |len: usize| {
            let len = len.min(left);
            left -= len;
            len
        };
        match &self.engine {
            _ if ids.len() == 1 && self.whole_unmerged(piece) == Some(ids[0]) => lengths.push(piece.len()),
            Engine::Symbols(compiled) => {
                let mut at = 0;
                lengths.extend(ids.iter().map(|&id| {
                    let len = take(compiled.length(&self.vocab, piece.get(at..).unwrap_or_default(), id));
                    at += len;
                    len
                }));
            }
            Engine::Literal(literal) => {
                let mut tokens = Vec::new();
                let mut scratch = Scratch::default();
                literal.encode(&self.vocab, &self.options, piece, &mut scratch.heap, || false, &mut tokens);
                lengths.extend(tokens.iter().map(|&(_, len)| take(len)));
            }
        }
    }

    /// The first byte of `text` that has no entry although no text can contain it (it never stands in UTF-8).
    pub fn first_unencodable(&self, text: &[u8]) -> Option<(usize, u8)> {
        let Engine::Symbols(compiled) = &self.engine else { return None };
        let alphabet = &compiled.alphabet;
        if !alphabet.lacks() || alphabet.is_of_chars() {
            return None;
        }
        let foreign = |byte: u8| matches!(byte, 0xC0 | 0xC1 | 0xF5..) && !alphabet.has_byte(byte);
        text.iter().position(|&byte| foreign(byte)).map(|at| (at, text[at]))
    }
}

impl Compiled {
    /// Compiles a model, or gives nothing where the same text can become different tokens in different places.
    fn new(vocab: &Vocab, merges: &[Merge], options: &BpeOptions) -> Result<Option<Self>> {
        let of_bytes = matches!(vocab.spelling(), Spelling::ByteLevel | Spelling::Latin1);
        let affix = |affix: &Option<String>| affix.as_ref().is_some_and(|affix| !affix.is_empty());
        if affix(&options.continuing_subword_prefix) || affix(&options.end_of_word_suffix) {
            return Ok(None);
        }
        let mut fallback = None;
        let mut apart = Vec::new();
        if options.byte_fallback {
            let tokens = byte_tokens(vocab);
            let needed = |&byte: &u8| match byte {
                0xC0 | 0xC1 | 0xF5.. => false,
                0..0x80 => vocab.id(&[byte]).is_none(),
                _ => true,
            };
            if (0..=u8::MAX).filter(needed).all(|byte| tokens[usize::from(byte)] != NONE) {
                apart.extend(tokens.into_iter().filter(|&id| id != NONE));
                fallback = Some(tokens).filter(|_| !of_bytes);
            } else if tokens.iter().any(|&id| id != NONE) {
                return Ok(None);
            }
        }
        let unknown = options.unk_token.as_ref().and_then(|token| vocab.id_spelled(token));
        let alphabet = Alphabet::new(vocab, fallback.as_ref());
        if of_bytes && alphabet.lacks() && !apart.is_empty() {
            return Ok(None);
        }
        if alphabet.lacks() {
            apart.extend(unknown);
        }
        if !apart.is_empty() {
            let mut is_apart = vec![false; vocab.size()];
            apart.iter().for_each(|&id| is_apart[id as usize] = true);
            let touches = |merge: &Merge| [merge.left, merge.right, merge.result].map(|id| is_apart[id as usize]);
            if merges.iter().any(|merge| touches(merge).contains(&true)) {
                return Ok(None);
            }
        }
        let symbols = Symbols::from_merges(vocab, merges, &alphabet)?;
        let cuts = SafeCuts::new(vocab, alphabet.is_of_chars());
        Ok(Some(Self { alphabet, symbols, cuts, unknown, fuse_unk: options.fuse_unk }))
    }

    /// Appends the ids of a piece that is known.
    fn merge(&self, piece: &[u8], scratch: &mut BpeScratch, ids: &mut Vec<u32>) {
        scratch.symbols.clear();
        if self.alphabet.is_of_chars() {
            scratch.atoms.clear();
            self.alphabet.append_symbols(piece, &mut scratch.atoms);
            scratch.merge.encode(&self.symbols, piece, &scratch.atoms, &mut scratch.symbols);
        } else {
            scratch.merge.encode(&self.symbols, piece, piece, &mut scratch.symbols);
        }
        ids.extend(scratch.symbols.iter().map(|&symbol| self.symbols.id(symbol)));
    }

    /// Takes what is unknown out of a piece. Where it has a token, no merge crosses it; where it is dropped, what
    /// stands on its sides comes together.
    fn stretches(&self, piece: &[u8]) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut known_text = Vec::new();
        let mut in_unknown = false;
        let mut at = 0;
        for (len, known) in self.alphabet.units(piece) {
            if known {
                known_text.extend_from_slice(&piece[at..at + len]);
            } else if let Some(id) = self.unknown {
                if !known_text.is_empty() {
                    stretches.push(Stretch::Known(std::mem::take(&mut known_text)));
                }
                if !(in_unknown && self.fuse_unk) {
                    stretches.push(Stretch::Unknown(id));
                }
            }
            in_unknown = !known;
            at += len;
        }
        if !known_text.is_empty() {
            stretches.push(Stretch::Known(known_text));
        }
        stretches
    }

    /// How many bytes `id` stands for at the begin of `text`.
    fn length(&self, vocab: &Vocab, text: &[u8], id: u32) -> usize {
        if self.unknown == Some(id) {
            let unknown = |&(_, known): &(usize, bool)| !known;
            let mut units = self.alphabet.units(text).take_while(unknown).map(|(len, _)| len);
            let len: usize = if self.fuse_unk { units.sum() } else { units.next().unwrap_or(0) };
            if len > 0 {
                return len;
            }
        }
        // A token that merging does not lead to stands for a byte.
        if self.symbols.reaches(id) { vocab.key(id).map_or(0, <[u8]>::len) } else { 1 }
    }
}

/// Every merge must name entries, and its result must be their concatenation, but for the prefix of the right one.
fn check(vocab: &Vocab, merges: &[Merge], prefix: &str) -> Result<()> {
    let has_inexpressible = (0..vocab.size() as u32).any(|id| vocab.is_inexpressible(id));
    for (rank, merge) in merges.iter().enumerate() {
        let at = || format!("model.merges[{rank}]");
        let key =
            |id: u32| vocab.key(id).ok_or_else(|| Error::format(at(), format!("id {id} is not in the vocabulary")));
        let (left, right, result) = (key(merge.left)?, key(merge.right)?, key(merge.result)?);
        let spells = if prefix.is_empty() && !has_inexpressible {
            result.len() == left.len() + right.len() && result.starts_with(left) && result.ends_with(right)
        } else {
            let [left, right, result] = [merge.left, merge.right, merge.result].map(|id| vocab.spelled(id));
            let right = right.as_deref().and_then(|right| right.get(prefix.len()..));
            left.zip(right).map(|(left, right)| left + right) == result
        };
        if !spells {
            return Err(Error::format(at(), "the result is not the left token followed by the right one"));
        }
    }
    Ok(())
}
