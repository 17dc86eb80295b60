//! One long text on several threads: stretches of it are encoded side by side from guessed places.

use super::Tokenizer;
use super::encode::Target;
use crate::encoder::Encoder;
use crate::parallel;
use crate::pretokenize::Pieces;

impl Tokenizer {
    /// Encodes stretches of a text side by side, each from a guessed place, and joins them where the pieces of one lead to
    /// a piece boundary of the next. Pieces depend on nothing but the boundary they begin at, so from there on the guess
    /// was right; where they never meet, the stretch is encoded again from where it should begin.
    pub(super) fn encode_pieces_on<T: Target>(
        &self,
        threads: usize,
        text: &[u8],
        encoder: &mut Encoder,
        target: &mut T,
    ) {
        let stretch = text.len().div_ceil(parallel::parts_for(text.len(), threads));
        let encode = |text: &[u8], begin: usize, until: usize, encoder: &mut Encoder, target: &mut T| {
            encoder.encode(&self.pretokenizer, &self.model, text, begin, until, target)
        };
        let lend = |run: &mut dyn FnMut(&mut Encoder)| self.pool.with(&self.model, run);
        if let Some(parts) = self.safe_stretches(text, stretch) {
            let work = |part: &[u8], encoder: &mut Encoder, ids: &mut T| {
                ids.expect(self.pool.expected_ids(part.len()));
                encode(part, 0, part.len(), encoder, ids);
            };
            return parallel::in_order(&parts, threads, encoder, lend, work, |ids, _| target.join(ids));
        }
        let begins: Vec<usize> = (0..text.len()).step_by(stretch).map(|at| char_boundary(text, at)).collect();
        let ends = begins[1..].iter().copied().chain([text.len()]);
        let stretches: Vec<(usize, usize)> = begins.iter().copied().zip(ends).collect();
        let work = |(begin, until), encoder: &mut Encoder, guess: &mut Stretch<T>| {
            self.encode_stretch(text, begin, until, encoder, guess);
        };
        let mut at = 0;
        parallel::in_order(&stretches, threads, encoder, lend, work, |guess, encoder| {
            if guess.begin_at(at) {
                guess.heads.drain(..).for_each(|(_, mut head)| target.join(&mut head));
                target.join(&mut guess.body);
                at = guess.end;
                return;
            }
            if at < guess.until {
                at = encode(text, at, guess.until, encoder, target);
            }
            *guess = Stretch::default();
        });
    }

    /// A text that is a single piece, cut about every `stretch` bytes where its ids allow it; nothing for other texts.
    fn safe_stretches<'t>(&self, text: &'t [u8], stretch: usize) -> Option<Vec<&'t [u8]>> {
        if !self.pretokenizer.cuts_nothing() || !self.model.may_cut(text) {
            return None;
        }
        let cuts = self.model.cuts()?;
        let mut parts = Vec::new();
        let mut rest = text;
        while rest.len() > stretch {
            let (part, after) = rest.split_at(stretch + cuts.first_part(&rest[stretch - 1..]) - 1);
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        Some(parts)
    }

    /// Encodes the pieces of a text from `begin` to the first boundary at or after `until`, the first [`LEAD`] of them
    /// one by one, so that the boundaries and what belongs to each are known.
    fn encode_stretch<T: Target>(
        &self,
        text: &[u8],
        begin: usize,
        until: usize,
        encoder: &mut Encoder,
        into: &mut Stretch<T>,
    ) {
        let mut block = Pieces::default();
        into.body_begin = self.pretokenizer.fill(text, begin, &mut block);
        if let Some(&(begin, _)) = block.ends.get(LEAD) {
            into.body_begin = block.base + begin as usize;
            block.ends.truncate(LEAD);
        }
        for &(begin, end) in &block.ends {
            let mut head = T::default();
            let alone = Pieces::new(block.base, vec![(begin, end)]);
            encoder.encode_block(&self.model, text, &alone, &mut head);
            into.heads.push((block.base + begin as usize, head));
        }
        into.until = until;
        into.body.expect(self.pool.expected_ids(until - into.body_begin.min(until)));
        into.end = encoder.encode(&self.pretokenizer, &self.model, text, into.body_begin, until, &mut into.body);
    }
}

/// Pieces at the beginning of a stretch that are kept apart, to find where it meets the one before.
const LEAD: usize = 16;

/// A stretch of a text, encoded from a guessed place.
#[derive(Default)]
struct Stretch<T> {
    /// The first pieces: where each begins, and its ids.
    heads: Vec<(usize, T)>,
    /// Where the other pieces begin.
    body_begin: usize,
    body: T,
    /// Where the stretch should end.
    until: usize,
    /// Where the last piece ends.
    end: usize,
}

impl<T> Stretch<T> {
    /// Cuts away what stands before the piece boundary `at`; `false` where there is no boundary.
    fn begin_at(&mut self, at: usize) -> bool {
        let before = self.heads.partition_point(|&(begin, _)| begin < at);
        let boundary = self.heads.get(before).map_or(self.body_begin, |&(begin, _)| begin);
        self.heads.drain(..before);
        boundary == at
    }
}

/// The first place at or after `at` that is not inside a character.
fn char_boundary(text: &[u8], at: usize) -> usize {
    (at..text.len().min(at + 4)).find(|&at| text[at] & 0xC0 != 0x80).unwrap_or(at)
}
