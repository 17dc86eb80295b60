//! A merge list compiled for merging by symbols, and what its alphabet knows of a piece.

use super::alphabet::Alphabet;
use super::cuts::SafeCuts;
use super::literal::byte_tokens;
use super::starts::Starts;
use super::symbols::{NONE, Symbols};
use super::{BpeOptions, BpeScratch};
use crate::error::Result;
use crate::merges::Merge;
use crate::vocab::{Spelling, Vocab};

/// A part of a piece, as the alphabet sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// Text that merging can begin with.
    Known(Vec<u8>),
    /// An unknown token.
    Unknown(u32),
}

/// What merging by symbols needs.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) alphabet: Alphabet,
    pub(super) symbols: Symbols,
    pub(super) cuts: SafeCuts,
    /// What the pieces of a model over bytes begin with.
    pub(super) starts: Option<Starts>,
    /// The token of what the alphabet does not know; without one it is dropped.
    pub(super) unknown: Option<u32>,
    pub(super) fuse_unk: bool,
}

impl Compiled {
    /// Compiles a model, or gives nothing where the same text can become different tokens in different places.
    pub(super) fn new(vocab: &Vocab, merges: &[Merge], options: &BpeOptions) -> Result<Option<Self>> {
        let of_bytes = matches!(vocab.spelling(), Spelling::ByteLevel | Spelling::Latin1);
        if options.has_affixes() {
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
            for &id in &apart {
                is_apart[id as usize] = true;
            }
            let touches = |merge: &Merge| [merge.left, merge.right, merge.result].map(|id| is_apart[id as usize]);
            if merges.iter().any(|merge| touches(merge).contains(&true)) {
                return Ok(None);
            }
        }
        let symbols = Symbols::from_merges(vocab, merges, &alphabet)?;
        let cuts = SafeCuts::new(vocab, alphabet.is_of_chars());
        let starts = (!alphabet.is_of_chars()).then(|| Starts::new(vocab, &symbols));
        Ok(Some(Self { alphabet, symbols, cuts, starts, unknown, fuse_unk: options.fuse_unk }))
    }

    /// Appends the ids of a piece that is known.
    pub(super) fn merge(&self, piece: &[u8], scratch: &mut BpeScratch, ids: &mut Vec<u32>) {
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
    pub(super) fn stretches(&self, piece: &[u8]) -> Vec<Stretch> {
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
    pub(super) fn length(&self, vocab: &Vocab, text: &[u8], id: u32) -> usize {
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
