//! Which tokens may follow a context of a Unigram model, whose encodings are the best segmentations of whole texts.
//!
//! The best way to a place depends on nothing behind it. So what begins the encoding of a longer text is the encoding of
//! its own bytes: contexts are the encodings of the beginnings of the text, one for each character, and a token may
//! follow one exactly if the best way to the end of the token leads over it ([`Unigram::extend`] decides this in the
//! owner's arithmetic, from the few places where a piece may begin that reaches beyond the context).
//!
//! For a whole vocabulary that is done in bulk. A token is never the best where some other segmentation of its own bytes
//! is better; that is known beforehand. What is left are ways over a piece that begins before the context and ends
//! inside of the token: beyond the end of that piece, the best is a segmentation of the rest of the token, known
//! beforehand too. So each such piece, found by walking its trie and the tree of tokens side by side, rules out the
//! tokens with its continuation as prefix whose *gain*, their weight less that of the rest, is below what the way over
//! it scores more than the context. Exact numbers and those of the owner differ by rounding; tokens as close to the edge
//! as that are decided one by one. Results are kept, since words come again.
//!
//! Characters that are no piece are written byte by byte where the model falls back to bytes.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use super::bits::Bits;
use super::index::{Index, NONE, ROOT};
use super::kept::Kept;
use super::place::{Context, Place};
use super::spelling::characters;
use super::tree::Node;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::unigram::{Extension, TrieNode, Unigram, WayStep, Window};
use crate::regex::CharSet;
use crate::tokenizer::Tokenizer;

/// Where a context stands: behind a character, or inside of one that is written byte by byte.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The window behind the last whole character.
    window: Window,
    /// The bytes of an unfinished character.
    begun: Vec<u8>,
}

/// Decides validity for Unigram models.
#[derive(Debug)]
pub(super) struct Paths {
    tokenizer: Arc<Tokenizer>,
    /// Whether each blank begins a piece that is segmented on its own.
    split: bool,
    /// The tokens that no other segmentation of their bytes beats.
    best: Bits,
    /// The tokens that begin a piece that is segmented on its own.
    anew: Bits,
    /// Ranks of tokens for which that is a matter of rounding, with the difference, the closest first.
    close: Vec<(f64, u32)>,
    /// Ranks of tokens that are always decided one by one.
    odd: Vec<u32>,
    /// For each byte of each token, by rank: the token's weight less that of the best segmentation from that byte on.
    gains: Vec<f32>,
    /// How exact gains are.
    grain: f64,
    /// The most characters of a token that is not odd.
    longest: usize,
    /// The token of each byte of unknown characters, if they have some.
    bytes: Option<Box<[u32; 256]>>,
    /// Whether a character that is no piece and part of none begins with a byte.
    first: [bool; 256],
    /// Characters that are no piece and part of none.
    unknown: CharSet,
    /// Characters that are no piece but part of one.
    inner: Vec<char>,
    kept: Mutex<Kept<WindowKey, Arc<Excluded>>>,
}

/// What windows that exclude the same tokens have in common: their starts, with scores in steps.
type WindowKey = Vec<(TrieNode, i64)>;

/// The tokens that cannot follow in a window.
#[derive(Debug)]
struct Excluded {
    surely: Bits,
    /// Those for which rounding decides.
    close: Vec<u32>,
}

/// How many windows are remembered.
const KEPT: usize = 256;

/// Tokens with more bytes are decided one by one.
const LONGEST: usize = 64;

/// Differences of scores that are noted for each token; where rounding may be more, tokens are decided one by one.
const CLOSE: f64 = 2.0;

impl Paths {
    pub(super) fn new(tokenizer: &Arc<Tokenizer>, index: &Index) -> Result<Self> {
        let Model::Unigram(unigram) = tokenizer.model() else { unreachable!("called for Unigram models alone") };
        let cuts = tokenizer.pretokenizer().cuts_at_blanks().filter(|split| !(*split && unigram.cuts_words()));
        let Some(split) = cuts else {
            let what = "byte-level probabilities of a Unigram model behind steps other than a Metaspace";
            return Err(Error::unsupported("pre_tokenizer", what));
        };
        let bytes = byte_tokens(unigram, index)?;
        let mut known = BTreeSet::new();
        let mut parts = BTreeSet::new();
        for (_, key) in unigram.vocab().iter() {
            let Ok(text) = std::str::from_utf8(key) else { continue };
            let single = text.chars().nth(1).is_none();
            if single && walk(unigram, key).is_some_and(|node| unigram.piece_at(node).is_some()) {
                known.extend(text.chars());
            } else {
                parts.extend(text.chars());
            }
        }
        let inner: Vec<char> = parts.difference(&known).copied().collect();
        let (_, others) = characters(tokenizer, std::iter::empty());
        let met = known.iter().chain(&inner).map(|&c| (u32::from(c), u32::from(c)));
        let unknown = others.intersection(&CharSet::of(met.collect()).negated());
        let mut paths = Self {
            split,
            best: Bits::new(index.vocab_size()),
            anew: Bits::new(index.vocab_size()),
            close: Vec::new(),
            odd: Vec::new(),
            gains: Vec::new(),
            grain: 0.0,
            longest: 1,
            bytes,
            first: std::array::from_fn(|byte| has_char(&unknown, code_points(&[byte as u8]))),
            unknown,
            inner,
            kept: Mutex::new(Kept::new(KEPT)),
            tokenizer: tokenizer.clone(),
        };
        let blanks = index.find(b" ").filter(|_| split).map_or(0..0, |blank| index.range(blank));
        index.ids_in(blanks).iter().for_each(|&id| paths.anew.insert(id));
        paths.weigh(unigram, index);
        Ok(paths)
    }

    /// Compares each token with the other segmentations of its bytes, and notes its gains.
    fn weigh(&mut self, unigram: &Unigram, index: &Index) {
        let mut rest = Vec::new();
        for rank in 0..index.len() as u32 {
            let (id, token) = (index.id(rank), index.bytes(rank));
            let is_piece = walk(unigram, token).and_then(|node| unigram.piece_at(node)) == Some(id);
            let inner_blank = self.split && token[1..].contains(&b' ');
            let begun = self.gains.len();
            self.gains.resize(begun + token.len(), f32::INFINITY);
            if !is_piece || inner_blank {
                continue;
            }
            let weight = unigram.weight(id);
            let (others, has_unknown) = best_from(unigram, token, &mut rest);
            for (gain, rest) in self.gains[begun..].iter_mut().zip(&rest).skip(1) {
                *gain = (weight - rest) as f32;
            }
            if token.len() > LONGEST || has_unknown && unigram.options().unk_id.is_none() {
                self.odd.push(rank);
                continue;
            }
            if weight > others {
                self.best.insert(id);
            }
            self.longest =
                self.longest.max(std::str::from_utf8(token).map_or(token.len(), |text| text.chars().count()));
            if (weight - others).abs() < CLOSE {
                self.close.push(((weight - others).abs(), rank));
            }
        }
        let largest =
            self.gains.iter().filter(|gain| gain.is_finite()).fold(0.0, |largest: f32, gain| largest.max(gain.abs()));
        self.grain = f64::from(largest) * f64::from(f32::EPSILON);
        self.close.sort_by(|left, right| left.0.total_cmp(&right.0));
    }

    fn unigram(&self) -> &Unigram {
        let Model::Unigram(unigram) = self.tokenizer.model() else { unreachable!("`new` takes Unigram models alone") };
        unigram
    }

    /// The place before any text.
    pub(super) fn root() -> Place {
        let standing = Standing { window: Window::empty(), begun: Vec::new() };
        Place { standing: Context::Window(Box::new(standing)), closed: true }
    }

    /// The tokens that may follow a context in some text.
    pub(super) fn allowed(&self, node: &Node, index: &Index) -> Bits {
        let Context::Window(standing) = &node.place.standing else { return Bits::new(index.vocab_size()) };
        let mut allowed = Bits::new(index.vocab_size());
        if standing.begun.is_empty() {
            self.pieces(&standing.window, index, &mut allowed);
        }
        let Some(bytes) = &self.bytes else { return allowed };
        for byte in (0..=u8::MAX).filter(|&byte| self.may_be_unknown(standing, byte)) {
            allowed.insert(bytes[usize::from(byte)]);
        }
        allowed
    }

    /// Adds the pieces that may follow in a window.
    fn pieces(&self, window: &Window, index: &Index, allowed: &mut Bits) {
        let unigram = self.unigram();
        // Differences of scores up to this may be rounding, and what is closer is decided one by one.
        let tolerance = unigram.rounding(window, self.longest + 1) + self.grain;
        let grain = tolerance.log2().ceil().exp2();
        if grain > CLOSE {
            (0..index.len() as u32)
                .filter(|&rank| self.leads(window, rank, index))
                .for_each(|rank| allowed.insert(index.id(rank)));
            return;
        }
        let excluded = self.excluded(window, grain, index);
        allowed.unite(&self.best);
        // Nothing before them matters to those that begin anew.
        allowed.subtract_but(&excluded.surely, &self.anew);
        let close = self.close.iter().take_while(|(difference, _)| *difference < tolerance).map(|&(_, rank)| rank);
        for rank in close.chain(excluded.close.iter().copied()).chain(self.odd.iter().copied()) {
            if self.leads(window, rank, index) {
                allowed.insert(index.id(rank));
            } else {
                allowed.remove(index.id(rank));
            }
        }
    }

    /// How a text goes on with a token.
    fn extend(&self, window: &Window, token: &[u8]) -> Extension {
        if self.split && token[0] == b' ' {
            return self.unigram().extend(&Window::empty(), token);
        }
        self.unigram().extend(window, token)
    }

    /// Whether the best way from a window to the end of a token is the token.
    fn leads(&self, window: &Window, rank: u32, index: &Index) -> bool {
        let token = index.bytes(rank);
        if self.split && token[1..].contains(&b' ') {
            return false;
        }
        let extension = self.extend(window, token);
        let refused = extension.meets_unknown && self.unigram().options().unk_id.is_none();
        extension.step == Some(WayStep::Piece(index.id(rank))) && !refused
    }

    /// The tokens that cannot follow in a window because of pieces that begin before its end, where rounding is up to a
    /// grain. Windows whose scores differ by half of it at the most share what is found.
    fn excluded(&self, window: &Window, grain: f64, index: &Index) -> Arc<Excluded> {
        let mut key: WindowKey =
            window.before().map(|(node, score)| (node, (score / grain * 2.0).round() as i64)).collect();
        key.push((self.unigram().root(), grain.log2() as i64));
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(excluded) = lock().get(&key) {
            return excluded;
        }
        let excluded = Arc::new(self.find_excluded(window, 1.5 * grain, index));
        lock().insert(key, excluded.clone());
        excluded
    }

    fn find_excluded(&self, window: &Window, margin: f64, index: &Index) -> Excluded {
        let unigram = self.unigram();
        let mut surely = Bits::new(index.vocab_size());
        let mut close = BTreeSet::new();
        let starts: Vec<(TrieNode, f64)> = window.before().collect();
        let mut stack = vec![(ROOT, 0, starts)];
        while let Some((prefix, depth, starts)) = stack.pop() {
            for (byte, child) in index.children(prefix) {
                let longer: Vec<(TrieNode, f64)> =
                    starts.iter().filter_map(|&(node, score)| Some((unigram.child(node, byte)?, score))).collect();
                if longer.is_empty() {
                    continue;
                }
                let scores =
                    longer.iter().filter_map(|&(node, score)| Some(score + unigram.weight(unigram.piece_at(node)?)));
                let score = scores.fold(f64::NEG_INFINITY, f64::max);
                if score > f64::NEG_INFINITY {
                    self.exclude(child, depth + 1, score, margin, index, |rank, sure| {
                        if sure {
                            surely.insert(index.id(rank));
                        } else {
                            close.insert(rank);
                        }
                    });
                }
                stack.push((child, depth + 1, longer));
            }
        }
        close.retain(|&rank| !surely.contains(index.id(rank)));
        Excluded { surely, close: close.into_iter().collect() }
    }

    /// Calls `found` for the tokens that a way with a score beats that ends behind the `depth` bytes of a prefix of
    /// theirs, and says whether it does so by more than `margin`.
    fn exclude(
        &self,
        prefix: u32,
        depth: usize,
        score: f64,
        margin: f64,
        index: &Index,
        mut found: impl FnMut(u32, bool),
    ) {
        let exact = index.exact(prefix);
        let mut compare = |rank: u32, gain: f64| {
            if gain < score + margin && self.best.contains(index.id(rank)) {
                found(rank, gain < score - margin);
            }
        };
        for rank in exact.clone() {
            compare(rank, self.unigram().weight(index.id(rank)));
        }
        for rank in exact.end..index.range(prefix).end {
            compare(rank, self.gains[index.begin(rank) + depth].into());
        }
    }

    /// Whether a character that is written byte by byte may go on with `byte`.
    fn may_be_unknown(&self, standing: &Standing, byte: u8) -> bool {
        let begun = [&standing.begun[..], &[byte]].concat();
        let points = code_points(&begun);
        let is_plain = match begun[..] {
            [first] => self.first[usize::from(first)],
            _ => has_char(&self.unknown, points.clone()),
        };
        let leads = |c: char| {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            self.unigram().extend(&standing.window, bytes).step == Some(WayStep::Unknown)
        };
        is_plain || points.is_some_and(|points| self.inner.iter().any(|&c| points.contains(&c.into()) && leads(c)))
    }

    /// The place behind a context and a token that may follow it.
    pub(super) fn place(&self, node: &Node, rank: u32, index: &Index) -> Place {
        let Context::Window(standing) = &node.place.standing else { return Place::unknown(false) };
        let token = index.bytes(rank);
        let is_byte =
            self.bytes.as_ref().is_some_and(|bytes| token.len() == 1 && bytes[token[0] as usize] == index.id(rank));
        let standing = if is_byte {
            let begun = [&standing.begun[..], token].concat();
            if std::str::from_utf8(&begun).is_ok() {
                Standing { window: self.unigram().extend(&standing.window, &begun).window, begun: Vec::new() }
            } else {
                Standing { window: standing.window.clone(), begun }
            }
        } else {
            Standing { window: self.extend(&standing.window, token).window, begun: Vec::new() }
        };
        let closed = standing.begun.is_empty();
        Place { standing: Context::Window(Box::new(standing)), closed }
    }
}

fn walk(unigram: &Unigram, text: &[u8]) -> Option<TrieNode> {
    text.iter().try_fold(unigram.root(), |node, &byte| unigram.child(node, byte))
}

/// The best score of the segmentations of a token from each of its bytes on, without the token itself, which is the
/// second from the first byte on; and whether one of its characters is no piece. Bytes inside of characters have
/// infinity.
fn best_from(unigram: &Unigram, token: &[u8], rest: &mut Vec<f64>) -> (f64, bool) {
    rest.clear();
    rest.resize(token.len() + 1, f64::INFINITY);
    rest[token.len()] = 0.0;
    let mut has_unknown = false;
    for begin in (0..token.len()).rev().filter(|&at| token[at] & 0xC0 != 0x80) {
        let width = 1 + token[begin + 1..].iter().take_while(|byte| **byte & 0xC0 == 0x80).count();
        let (mut node, mut best, mut known) = (unigram.root(), f64::NEG_INFINITY, false);
        for end in begin + 1..=token.len() {
            let Some(child) = unigram.child(node, token[end - 1]) else { break };
            node = child;
            if let Some(id) = unigram.piece_at(node) {
                known |= end == begin + width;
                if begin > 0 || end < token.len() {
                    best = best.max(unigram.weight(id) + rest[end]);
                }
            }
        }
        if !known {
            has_unknown = true;
            best = best.max(unigram.unknown_weight() + rest[begin + width]);
        }
        rest[begin] = best;
    }
    (rest[0], has_unknown)
}

/// The tokens of the bytes that unknown characters fall back to.
fn byte_tokens(unigram: &Unigram, index: &Index) -> Result<Option<Box<[u32; 256]>>> {
    let Some(ids) = unigram.byte_ids() else { return Ok(None) };
    let is_token = |byte: usize| {
        let rank = ids.get(byte).filter(|&&id| (id as usize) < index.vocab_size()).map_or(NONE, |&id| index.rank(id));
        rank != NONE && index.bytes(rank) == [byte as u8]
    };
    let needed = |byte: &usize| !matches!(byte, 0xC0 | 0xC1 | 0xF5..);
    match (0..256).filter(needed).filter(|&byte| is_token(byte)).count() {
        0 => Ok(None),
        count if count == (0..256).filter(needed).count() => Ok(Some(Box::new(*ids))),
        _ => Err(Error::unsupported("model", "byte-level probabilities of a model that falls back to some bytes only")),
    }
}

/// Whether a set has one of these characters; surrogates are none.
fn has_char(set: &CharSet, points: Option<RangeInclusive<u32>>) -> bool {
    let Some(points) = points else { return false };
    let ranges = set.ranges();
    let from = ranges.partition_point(|&(_, last)| last < *points.start());
    let met = ranges[from..].iter().take_while(|(first, _)| first <= points.end());
    met.map(|&(first, last)| first.max(*points.start())..=last.min(*points.end()))
        .any(|mut both| both.any(|c| char::from_u32(c).is_some()))
}

/// The code points of the characters whose UTF-8 begins with these bytes; `None` if there are none.
fn code_points(bytes: &[u8]) -> Option<RangeInclusive<u32>> {
    let (&first, rest) = bytes.split_first()?;
    let (length, head, least) = match first {
        0..0x80 => (1, first, 0),
        0xC2..0xE0 => (2, first & 0x1F, 0x80),
        0xE0..0xF0 => (3, first & 0x0F, 0x800),
        0xF0..0xF5 => (4, first & 0x07, 0x1_0000),
        _ => return None,
    };
    if bytes.len() > length || rest.iter().any(|byte| byte & 0xC0 != 0x80) {
        return None;
    }
    let code = rest.iter().fold(u32::from(head), |code, byte| code << 6 | u32::from(byte & 0x3F));
    let missing = 6 * (length - bytes.len()) as u32;
    let (begin, end) = ((code << missing).max(least), ((code + 1) << missing).min(0x11_0000));
    (begin < end).then(|| begin..=end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_are_those_that_begin_so() {
        let mut buffer = [0; 4];
        for c in [
            '\0',
            'a',
            '\u{7f}',
            '\u{80}',
            'é',
            '\u{7ff}',
            '\u{800}',
            '中',
            '\u{ffff}',
            '\u{10000}',
            '🦜',
            '\u{10ffff}',
        ] {
            let bytes = c.encode_utf8(&mut buffer).as_bytes().to_vec();
            for length in 1..=bytes.len() {
                let points = code_points(&bytes[..length]).unwrap();
                assert!(points.contains(&u32::from(c)));
                for edge in [*points.start(), *points.end()].into_iter().filter_map(char::from_u32) {
                    assert!(edge.encode_utf8(&mut buffer).as_bytes().starts_with(&bytes[..length]), "{c:?} {edge:?}");
                }
            }
        }
        for bytes in [&[0x80][..], &[0xC1], &[0xE0, 0x80], &[0xF5], b"ab", &[0xF4, 0x90], &[0xC3, 0x29]] {
            assert_eq!(code_points(bytes), None, "{bytes:?}");
        }
    }
}
