//! Merging as tokenizers does it, id by id: for models whose tokens are more than strings of characters.
//!
//! Affixes on the first or last character, entries for single bytes among the merges, fallbacks for some bytes only, an
//! unknown token that merges: here the same text can become different tokens in different places. The rules are those
//! of `tokenizers::models::bpe`, quirks included, in `O(n log n)`. The random skipping of merges, in which any merge
//! may come next, is done here too.

use hashbrown::HashMap;

use super::BpeOptions;
use super::alphabet::BYTES;
use super::heap::{Heap, Product};
use super::symbols::NONE;
use crate::merges::Merge;
use crate::vocab::{Spelling, Vocab, byte_level_char};

/// A merge list as it is written.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    by_pair: HashMap<(u32, u32), Product>,
    fallback: Option<Box<[u32; BYTES]>>,
    unknown: Option<u32>,
}

/// A token and how many bytes of its piece, in the owner's spelling, it stands for.
pub(super) type Counted = (u32, usize);

impl Literal {
    /// Takes a list in order of rank. Of a pair listed twice the later rank counts.
    pub(super) fn new(vocab: &Vocab, merges: &[Merge], options: &BpeOptions) -> Self {
        Self::ranked(vocab, (0..).zip(merges.iter().copied()), options)
    }

    /// Takes merges with their ranks; of those of equal rank the leftmost is due first.
    pub(super) fn ranked(vocab: &Vocab, merges: impl Iterator<Item = (u32, Merge)>, options: &BpeOptions) -> Self {
        let product = |(rank, merge): (u32, Merge)| ((merge.left, merge.right), Product { rank, token: merge.result });
        let by_pair = merges.map(product).collect();
        let fallback = options.byte_fallback.then(|| Box::new(byte_tokens(vocab)));
        let unknown = options.unk_token.as_ref().and_then(|token| vocab.id_spelled(token));
        Self { by_pair, fallback, unknown }
    }

    /// Replaces `tokens` by those of a non-empty piece. `skips` decides for each merge that is due whether it is passed
    /// over for now.
    pub(super) fn encode(
        &self,
        vocab: &Vocab,
        options: &BpeOptions,
        piece: &[u8],
        heap: &mut Heap,
        skips: impl FnMut() -> bool,
        tokens: &mut Vec<Counted>,
    ) {
        tokens.clear();
        self.begin(vocab, options, piece, tokens);
        heap.merge(tokens.iter().map(|&(id, _)| id), |left, right| self.by_pair.get(&(left, right)).copied(), skips);
        let mut kept = 0;
        for (at, &id) in heap.tokens().iter().enumerate() {
            let (_, len) = tokens[at];
            if id == NONE {
                tokens[kept - 1].1 += len;
            } else {
                tokens[kept] = (id, len);
                kept += 1;
            }
        }
        tokens.truncate(kept);
    }

    /// The tokens of single characters.
    fn begin(&self, vocab: &Vocab, options: &BpeOptions, piece: &[u8], tokens: &mut Vec<Counted>) {
        let mut waiting: Option<Counted> = None;
        let mut spelled = String::new();
        let mut at = 0;
        while at < piece.len() {
            let len = unit_len(vocab.spelling(), &piece[at..]);
            spelled.clear();
            if let Some(prefix) = options.continuing_subword_prefix.as_ref().filter(|_| at > 0) {
                spelled.push_str(prefix);
            }
            let affix = spelled.len();
            push_unit(vocab.spelling(), &piece[at..at + len], &mut spelled);
            at += len;
            let len = spelled.len() - affix;
            if let Some(suffix) = options.end_of_word_suffix.as_ref().filter(|_| at == piece.len()) {
                spelled.push_str(suffix);
            }
            if let Some(id) = vocab.id_spelled(&spelled) {
                tokens.extend(waiting.take());
                tokens.push((id, len));
                continue;
            }
            // As in tokenizers, an unknown token that waits is not put before the bytes.
            if let Some(fallback) = &self.fallback
                && spelled.bytes().all(|byte| fallback[usize::from(byte)] != NONE)
            {
                tokens.extend(spelled.bytes().map(|byte| (fallback[usize::from(byte)], 1)));
                continue;
            }
            let Some(unknown) = self.unknown else { continue };
            match &mut waiting {
                Some((_, waiting)) if options.fuse_unk => *waiting += len,
                _ => tokens.extend(waiting.replace((unknown, len))),
            }
        }
        tokens.extend(waiting);
    }
}

/// The ids of `<0x00>` to `<0xFF>`; [`NONE`] for those that are no entries.
pub(super) fn byte_tokens(vocab: &Vocab) -> [u32; BYTES] {
    std::array::from_fn(|byte| vocab.id_spelled(&format!("<0x{byte:02X}>")).unwrap_or(NONE))
}

/// Appends the part of `piece` that each token stands for, given how long these are in the owner's spelling.
pub(super) fn place(
    spelling: Spelling,
    piece: &[u8],
    lens: impl Iterator<Item = usize>,
    spans: &mut Vec<std::ops::Range<usize>>,
) {
    let mut units = Vec::new();
    let mut spelled = String::new();
    let mut at = 0;
    while at < piece.len() {
        let len = unit_len(spelling, &piece[at..]);
        spelled.clear();
        push_unit(spelling, &piece[at..at + len], &mut spelled);
        if spelled.len() == len {
            units.extend((at..at + len).map(|at| at..at + 1));
        } else {
            units.extend(std::iter::repeat_n(at..at + len, spelled.len()));
        }
        at += len;
    }
    let mut begin = 0;
    spans.extend(lens.map(|len| {
        let end = (begin + len).min(units.len());
        let first = units.get(begin).map_or(piece.len(), |unit| unit.start);
        let last = if end > begin { units[end - 1].end } else { first };
        begin = end;
        first..last
    }));
}

/// Length of what is one character in the owner's spelling.
fn unit_len(spelling: Spelling, text: &[u8]) -> usize {
    match spelling {
        Spelling::ByteLevel | Spelling::Latin1 => 1,
        Spelling::Plain | Spelling::Metaspace => crate::chars::length_at(text, 0),
    }
}

fn push_unit(spelling: Spelling, unit: &[u8], spelled: &mut String) {
    match (spelling, unit) {
        (Spelling::ByteLevel, [byte]) => spelled.push(byte_level_char(*byte)),
        (Spelling::Latin1, [byte]) => spelled.push(char::from(*byte)),
        (Spelling::Metaspace, b" ") => spelled.push('\u{2581}'),
        _ => spelled.push_str(&String::from_utf8_lossy(unit)),
    }
}
