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
//! (affixes, and a few oddities), nothing of this holds, and merging goes by ids (`literal`). Models of sentencepiece that
//! are no list of merges go by scores (`scored`); symbols of the user's stand apart from what merges (`apart`).

mod alphabet;
mod apart;
mod batch;
mod compiled;
mod cuts;
mod heap;
mod lanes;
mod literal;
mod merge;
mod pairs;
mod sample;
mod scored;
mod small;
mod starts;
mod symbols;
mod window;

pub use compiled::Stretch;
pub use cuts::SafeCuts;
pub use sample::Sampler;

use std::ops::Range;

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::{Spelling, Vocab};
use alphabet::Alphabet;
use apart::Apart;
use batch::Batch;
use compiled::Compiled;
use literal::{Counted, Literal, place};
use merge::Scratch;
use scored::Scored;
use starts::Starts;
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

impl BpeOptions {
    /// Whether characters have a prefix or suffix in some places of a piece.
    pub fn has_affixes(&self) -> bool {
        let affixes = [&self.continuing_subword_prefix, &self.end_of_word_suffix];
        affixes.into_iter().flatten().any(|affix| !affix.is_empty())
    }
}

/// A validated byte-pair encoding.
#[derive(Clone, Debug)]
pub struct Bpe {
    vocab: Vocab,
    merges: Vec<Merge>,
    options: BpeOptions,
    engine: Engine,
    /// Where entries are taken whole, those that merging does not reach. They are few, so asking for one stays in cache.
    unmerged: HashMap<Box<[u8]>, u32>,
    /// What merges pieces with neighbouring blanks, where some entries of these have the same rank.
    blank_runs: Option<Box<Literal>>,
    /// The ranks of the merges where some are equal; else empty, and a merge's rank is its place.
    ranks: Vec<u32>,
    /// Entries that are found before anything merges.
    apart: Option<Box<Apart>>,
}

/// How pieces are merged.
#[derive(Clone, Debug)]
enum Engine {
    /// By symbols.
    Symbols(Box<Compiled>),
    /// By ids.
    Literal(Literal),
    /// By scores.
    Scored(Box<Scored>),
}

/// Reusable memory for encoding pieces.
#[derive(Debug, Default)]
pub struct BpeScratch {
    merge: Scratch,
    batch: Batch,
    atoms: Vec<u32>,
    symbols: Vec<u32>,
    tokens: Vec<Counted>,
}

impl Bpe {
    /// Checks and compiles a vocabulary and its merges, which are in order of rank. A pair that is listed twice has
    /// its later rank. Fails where a merge names an id without entry or does not spell its result, and where the
    /// unknown token is not an entry although some text would need it.
    pub fn new(vocab: Vocab, merges: Vec<Merge>, options: BpeOptions) -> Result<Self> {
        check(&vocab, &merges, options.continuing_subword_prefix.as_deref().unwrap_or_default())?;
        Self::of_spelled(vocab, merges, options)
    }

    /// The same for merges that are known to spell their results, as they do where a reader looked the results up.
    pub(crate) fn of_spelled(vocab: Vocab, merges: Vec<Merge>, options: BpeOptions) -> Result<Self> {
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
        let starts = Some(Starts::new(&vocab, &symbols));
        let compiled = Compiled { alphabet, symbols, cuts, starts, unknown: None, fuse_unk: false };
        let options = BpeOptions { ignore_merges: true, ..BpeOptions::default() };
        Self::assemble(vocab, merges, options, Engine::Symbols(Box::new(compiled)))
    }

    /// As [`Self::new`], with the ranks of the merges, which rise; among merges of equal rank the leftmost is due
    /// first, whatever it makes. Such entries must all hold two neighbouring blanks (as the runs of blanks do that are
    /// put into the vocabularies of sentencepiece after training), and the vocabulary must be spelled with blanks.
    pub fn with_ranks(vocab: Vocab, merges: Vec<Merge>, ranks: &[u32], options: BpeOptions) -> Result<Self> {
        let pairs = || merges.windows(2).zip(ranks.windows(2));
        let tied: Vec<u32> = pairs()
            .filter(|(pair, ranks)| ranks[0] == ranks[1] && pair[0].result != pair[1].result)
            .flat_map(|(pair, _)| [pair[0].result, pair[1].result])
            .collect();
        let literal = || Literal::ranked(&vocab, ranks.iter().copied().zip(merges.iter().copied()), &options);
        let blank_runs = (!tied.is_empty()).then(|| Box::new(literal()));
        let has_run = |id: u32| vocab.spelling() == Spelling::Metaspace && vocab.key(id).is_some_and(has_blank_run);
        if let Some(id) = tied.into_iter().find(|&id| !has_run(id)) {
            return Err(Error::unsupported(format!("entry {id}"), "merges of equal rank but for those of blanks"));
        }
        let ranks = if blank_runs.is_some() { ranks.to_vec() } else { Vec::new() };
        Ok(Self { blank_runs, ranks, ..Self::new(vocab, merges, options)? })
    }

    /// The model that merges a piece with neighbouring blanks, if there is one of its own.
    fn blank_runs(&self, piece: &[u8]) -> Option<&Literal> {
        self.blank_runs.as_deref().filter(|_| has_blank_run(piece))
    }

    fn assemble(vocab: Vocab, merges: Vec<Merge>, options: BpeOptions, engine: Engine) -> Result<Self> {
        let reaches = |id| match &engine {
            Engine::Symbols(compiled) => compiled.symbols.reaches(id),
            Engine::Literal(_) | Engine::Scored(_) => false,
        };
        let is_unmerged = |id| options.ignore_merges && !reaches(id) && !vocab.is_inexpressible(id);
        let unmerged = vocab.iter().filter(|&(id, _)| is_unmerged(id)).map(|(id, key)| (key.into(), id)).collect();
        let bpe = Self { vocab, merges, options, engine, unmerged, blank_runs: None, ranks: Vec::new(), apart: None };
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
            Engine::Literal(_) | Engine::Scored(_) => true,
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

    /// The rank of a merge, given its place in the list; some may have the same.
    pub fn rank(&self, merge: usize) -> u32 {
        self.ranks.get(merge).copied().unwrap_or(merge as u32)
    }

    /// The switches.
    pub fn options(&self) -> &BpeOptions {
        &self.options
    }

    /// Where a piece that is known may be cut without changing its ids, if that can be told.
    pub fn cuts(&self) -> Option<&SafeCuts> {
        match &self.engine {
            Engine::Symbols(compiled) => Some(&compiled.cuts),
            Engine::Literal(_) | Engine::Scored(_) => None,
        }
    }

    /// The id of a piece that is an entry which merging does not lead to, where entries are taken whole.
    pub fn whole_unmerged(&self, piece: &[u8]) -> Option<u32> {
        if self.unmerged.is_empty() { None } else { self.unmerged.get(piece).copied() }
    }

    /// The merges that can fire, each with the one entry it makes, in the order in which they do so in ordinary texts
    /// (see [`Self::late_entries`]). `None` for models whose tokens are more than strings of bytes or characters.
    pub fn live_merges(&self) -> Option<Vec<Merge>> {
        match &self.engine {
            Engine::Symbols(compiled) => Some(compiled.symbols.live().collect()),
            Engine::Literal(_) | Engine::Scored(_) => None,
        }
    }

    /// The merges that can fire, in the order of their symbols; empty for a model that merges by ids or scores.
    pub(crate) fn made_in_order(&self) -> Vec<Merge> {
        self.live_merges().unwrap_or_default()
    }

    /// Whether some merges have the same rank and make different entries.
    pub(crate) fn has_equal_ranks(&self) -> bool {
        self.blank_runs.is_some()
    }

    /// The entries that merging begins with: those of bytes or characters, and of bytes that stand in for the
    /// characters without entry.
    pub fn atoms(&self) -> impl Iterator<Item = u32> {
        let atoms = match &self.engine {
            Engine::Symbols(compiled) => compiled.alphabet.ids(),
            Engine::Literal(_) | Engine::Scored(_) => &[],
        };
        atoms.iter().copied().filter(|&id| id != NONE)
    }

    /// The entries that stand for a byte of a character without entry, with their bytes. No merge touches them.
    pub fn byte_entries(&self) -> impl Iterator<Item = (u8, u32)> {
        let atoms = match &self.engine {
            Engine::Symbols(compiled) if compiled.alphabet.is_of_chars() => compiled.alphabet.ids(),
            _ => &[],
        };
        let bytes = (0..=u8::MAX).zip(atoms.iter().copied());
        bytes.filter(|&(byte, id)| id != NONE && self.vocab.key(id) != Some(&[byte]))
    }

    /// The entries in whose neighbourhood merges fire in another order than that of [`Self::live_merges`]; `None` where
    /// that may happen in any text.
    pub fn late_entries(&self) -> Option<&[u32]> {
        match &self.engine {
            Engine::Symbols(compiled) => compiled.symbols.late(),
            Engine::Literal(_) | Engine::Scored(_) => None,
        }
    }

    /// Whether merging leads from what begins an entry to the entry.
    pub fn reaches(&self, id: u32) -> bool {
        match &self.engine {
            Engine::Symbols(compiled) => compiled.symbols.reaches(id),
            Engine::Literal(_) | Engine::Scored(_) => false,
        }
    }

    /// Whether there are entries that a piece becomes but that merging does not lead to.
    pub fn has_unmerged(&self) -> bool {
        !self.unmerged.is_empty()
    }

    /// Entries that are their own encoding, in order of id, with their id. Some may be left out.
    pub fn whole_entries(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let all = self.options.ignore_merges;
        let is_whole = move |id: u32, key: &[u8]| {
            !self.vocab.is_inexpressible(id)
                && (all || self.reaches(id))
                && self.blank_runs(key).is_none()
                && self.apart_in(key).is_none()
        };
        self.vocab.iter().filter(move |&(id, key)| is_whole(id, key))
    }

    /// Whether texts must be UTF-8, since the model is one of characters.
    pub fn reads_text(&self) -> bool {
        matches!(self.vocab.spelling(), Spelling::Plain | Spelling::Metaspace)
    }

    /// Whether all of a piece has symbols, so that it may be cut ([`Self::cuts`]).
    pub fn knows(&self, piece: &[u8]) -> bool {
        if self.apart_in(piece).is_some() {
            return false;
        }
        match &self.engine {
            Engine::Symbols(compiled) => compiled.alphabet.knows(piece),
            Engine::Literal(_) | Engine::Scored(_) => false,
        }
    }

    /// What a piece comes to that may hold unknown text or symbols: stretches that are encoded apart.
    pub fn stretches(&self, piece: &[u8]) -> Vec<Stretch> {
        if let Some(apart) = self.apart_in(piece) {
            return self.stretches_apart(apart, piece);
        }
        match &self.engine {
            Engine::Symbols(compiled) => compiled.stretches(piece),
            Engine::Literal(_) | Engine::Scored(_) => vec![Stretch::Known(piece.to_vec())],
        }
    }

    /// Appends the ids of a non-empty piece by merging, also where the piece is an entry.
    pub fn merge(&self, piece: &[u8], scratch: &mut BpeScratch, ids: &mut Vec<u32>) {
        if let Some(apart) = self.apart_in(piece) {
            for stretch in self.stretches_apart(apart, piece) {
                match stretch {
                    Stretch::Known(known) => self.merge(&known, scratch, ids),
                    Stretch::Unknown(id) => ids.push(id),
                }
            }
            return;
        }
        if let Some(literal) = self.blank_runs(piece) {
            let heap = &mut scratch.merge.heap;
            literal.encode(&self.vocab, &self.options, piece, heap, || false, &mut scratch.tokens);
            return ids.extend(scratch.tokens.iter().map(|&(id, _)| id));
        }
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
            Engine::Scored(scored) => {
                scored.encode(piece, || false, &mut scratch.tokens);
                ids.extend(scratch.tokens.iter().map(|&(id, _)| id));
            }
        }
    }

    /// Puts a non-empty piece into the batch of `scratch`; `false` where it has to be merged alone.
    #[inline]
    pub fn put_in_batch(&self, piece: &[u8], scratch: &mut BpeScratch) -> bool {
        if self.apart.is_some() || self.blank_runs.is_some() {
            return false;
        }
        let Engine::Symbols(compiled) = &self.engine else { return false };
        let Some(starts) = &compiled.starts else { return false };
        if self.whole_unmerged(piece).is_some() || !compiled.alphabet.knows(piece) {
            return false;
        }
        let batch = &mut scratch.batch;
        batch.push(Some(starts), piece) || compiled.symbols.ordered_in(piece) && batch.push_parts(starts, piece)
    }

    /// Takes the pieces out of the batch: appends the ids of each, and where they end. Faster than [`Self::merge`] of one
    /// after the other, as they are worked on by turns.
    pub fn merge_batch(&self, scratch: &mut BpeScratch, ids: &mut Vec<u32>, ends: &mut Vec<usize>) {
        let Engine::Symbols(compiled) = &self.engine else { return };
        let BpeScratch { batch, merge, symbols, .. } = scratch;
        batch.merge(&compiled.symbols, compiled.starts.as_ref());
        let mut begin = 0;
        for piece in 0..batch.len() {
            let id = |symbol: u32| compiled.symbols.id(symbol);
            match batch.parts(piece) {
                1 => ids.extend(batch.symbols(piece, 0).map(id)),
                parts => {
                    let of_part = |part: usize| batch.symbols(piece, part);
                    let len = (0..parts).flat_map(of_part).map(|symbol| compiled.symbols.len(symbol)).sum::<usize>();
                    let text = &batch.text()[begin..begin + len];
                    begin += len;
                    symbols.clear();
                    merge.join(&compiled.symbols, text, (0..parts).map(of_part), symbols);
                    ids.extend(symbols.iter().map(|&symbol| id(symbol)));
                }
            }
            ends.push(ids.len());
        }
        batch.clear();
    }

    /// Appends the range of the bytes of `piece` that each of its `ids` stands for. Characters that are dropped stand
    /// for nothing, and what follows them moves up, as in tokenizers.
    pub fn spans(&self, piece: &[u8], ids: &[u32], spans: &mut Vec<Range<usize>>) {
        if let (Engine::Symbols(compiled), Some(apart)) = (&self.engine, self.apart_in(piece)) {
            return self.spans_apart(apart, compiled, piece, ids, spans);
        }
        match &self.engine {
            _ if ids.len() == 1 && self.whole_unmerged(piece) == Some(ids[0]) => spans.push(0..piece.len()),
            Engine::Symbols(compiled) if compiled.unknown.is_some() || compiled.alphabet.knows(piece) => {
                let mut at = 0;
                spans.extend(ids.iter().map(|&id| {
                    let begin = at;
                    at = piece.len().min(begin + compiled.length(&self.vocab, &piece[begin..], id));
                    begin..at
                }));
            }
            Engine::Symbols(_) => {
                let lens = ids.iter().map(|&id| self.vocab.spelled(id).map_or(0, |spelled| spelled.len()));
                place(self.vocab.spelling(), piece, lens, spans);
            }
            Engine::Literal(literal) => {
                let mut tokens = Vec::new();
                let mut scratch = Scratch::default();
                literal.encode(&self.vocab, &self.options, piece, &mut scratch.heap, || false, &mut tokens);
                place(self.vocab.spelling(), piece, tokens.iter().map(|&(_, len)| len), spans);
            }
            Engine::Scored(scored) => {
                let mut tokens = Vec::new();
                scored.encode(piece, || false, &mut tokens);
                let mut at = 0;
                spans.extend(tokens.iter().map(|&(_, len)| {
                    at += len;
                    at - len..at
                }));
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

fn has_blank_run(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"  ").is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A model over the characters `abé ` and all bytes, with random merges, an unknown token or neither.
    fn random_model(seed: u64, options: &BpeOptions) -> (Vocab, Vec<Merge>) {
        let mut state = seed;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut vocab = Vocab::new(Spelling::Metaspace);
        let mut parts: Vec<String> = ["a", "b", "é", "\u{2581}"].map(str::to_owned).to_vec();
        let bytes = (0..=u8::MAX).filter(|_| options.byte_fallback).map(|byte| format!("<0x{byte:02X}>"));
        for token in std::iter::once("<unk>".to_owned()).chain(bytes).chain(parts.clone()) {
            vocab.insert_spelled(vocab.size() as u32, &token).unwrap();
        }
        let mut merges: Vec<Merge> = Vec::new();
        for _ in 0..20 {
            let (left, right) = (parts[random(parts.len())].clone(), parts[random(parts.len())].clone());
            let made = format!("{left}{right}");
            if vocab.id_spelled(&made).is_none() {
                vocab.insert_spelled(vocab.size() as u32, &made).unwrap();
                parts.push(made.clone());
            }
            let [left, right, result] = [left, right, made].map(|token| vocab.id_spelled(&token).unwrap());
            let merge = Merge { left, right, result };
            if !merges.contains(&merge) {
                merges.push(merge);
            }
        }
        (vocab, merges)
    }

    #[test]
    fn symbols_give_what_merging_by_ids_gives() {
        for seed in 0..300 {
            let options = BpeOptions {
                unk_token: (seed % 3 > 0).then(|| "<unk>".to_owned()),
                fuse_unk: seed % 2 == 0,
                byte_fallback: seed % 5 < 2,
                ..BpeOptions::default()
            };
            let (vocab, merges) = random_model(seed, &options);
            let literal = Literal::new(&vocab, &merges, &options);
            let bpe = Bpe::new(vocab, merges, options).unwrap();
            assert!(bpe.cuts().is_some(), "compiled to symbols");
            let letters = ["a", "b", "é", " ", "z", "漢", "ab"];
            for len in [1, 3, 9, 40, 200] {
                let text: String =
                    (0..len).map(|at| letters[(at * at + at / 3 * seed as usize) % letters.len()]).collect();
                let (mut scratch, mut ids, mut tokens) = (BpeScratch::default(), Vec::new(), Vec::new());
                bpe.merge(text.as_bytes(), &mut scratch, &mut ids);
                let heap = &mut Scratch::default().heap;
                literal.encode(&bpe.vocab, &bpe.options, text.as_bytes(), heap, || false, &mut tokens);
                assert_eq!(ids, tokens.iter().map(|&(id, _)| id).collect::<Vec<_>>(), "seed {seed}: {text}");
                let mut spans = Vec::new();
                bpe.spans(text.as_bytes(), &ids, &mut spans);
                let mut expected = Vec::new();
                place(bpe.vocab.spelling(), text.as_bytes(), tokens.iter().map(|&(_, len)| len), &mut expected);
                assert_eq!(spans, expected, "seed {seed}: {text}");
            }
        }
    }
}
