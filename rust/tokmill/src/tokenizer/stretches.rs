//! One long text on several threads: stretches of it are encoded side by side from guessed places.

use super::Tokenizer;
use super::encode::{RUNS, Target};
use crate::encoder::Encoder;
use crate::parallel;
use crate::pretokenize::Pieces;

impl Tokenizer {
    /// Encodes stretches of a text side by side: this thread from the beginning on, the others from the end back, each
    /// stretch from a guessed place. They are joined where the pieces of one lead to a piece boundary of the next. Pieces depend on nothing but the boundary they begin at, so from there on
    /// the guess was right; where they never meet, the stretch is encoded again from where it should begin.
    pub(super) fn encode_pieces_on<T: Target>(
        &self,
        threads: usize,
        text: &[u8],
        encoder: &mut Encoder,
        target: &mut T,
    ) {
        let stretch = text.len().div_ceil(threads * RUNS);
        if let Some(parts) = self.safe_stretches(text, stretch) {
            let encode = |part: &[u8], encoder: &mut Encoder, target: &mut T| {
                encoder.encode(&self.pretokenizer, &self.model, part, 0, part.len(), target);
            };
            let others = parallel::from_both_ends(
                parts,
                threads,
                |part| encode(part, encoder, target),
                |part| {
                    let mut ids = T::default();
                    ids.expect(self.pool.expected_ids(part.len()));
                    self.pool.with(&self.model, |encoder| encode(part, encoder, &mut ids));
                    ids
                },
            );
            return others.into_iter().for_each(|ids| target.join(ids));
        }
        let begins: Vec<usize> = (0..text.len()).step_by(stretch).map(|at| char_boundary(text, at)).collect();
        let ends = begins[1..].iter().copied().chain([text.len()]);
        let stretches: Vec<(usize, usize)> = begins.iter().copied().zip(ends).collect();
        // This thread goes on from where it is, so it needs no guesses.
        let mut at = 0;
        let front = |(_, until)| {
            if at < until {
                at = encoder.encode(&self.pretokenizer, &self.model, text, at, until, target);
            }
        };
        let guesses = parallel::from_both_ends(stretches, threads, front, |(begin, until)| {
            let guess = self.pool.with(&self.model, |encoder| self.encode_stretch(text, begin, until, LEAD, encoder));
            (guess, until)
        });
        for (guess, until) in guesses {
            let guess: Stretch<T> = match guess.begun_at(at) {
                Some(met) => met,
                None if at >= until => continue,
                None => {
                    at = encoder.encode(&self.pretokenizer, &self.model, text, at, until, target);
                    continue;
                }
            };
            at = guess.end;
            guess.heads.into_iter().for_each(|(_, head)| target.join(head));
            target.join(guess.body);
        }
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

    /// Encodes the pieces of a text from `begin` to the first boundary at or after `until`, the first `lead` of them
    /// one by one, so that the boundaries and what belongs to each are known.
    fn encode_stretch<T: Target>(
        &self,
        text: &[u8],
        begin: usize,
        until: usize,
        lead: usize,
        encoder: &mut Encoder,
    ) -> Stretch<T> {
        let mut heads = Vec::new();
        let mut block = Pieces::default();
        let mut body_begin = self.pretokenizer.fill(text, begin, &mut block);
        if let Some(&(begin, _)) = block.ends.get(lead) {
            body_begin = block.base + begin as usize;
            block.ends.truncate(lead);
        }
        for &(begin, end) in &block.ends {
            let mut head = T::default();
            let alone = Pieces { base: block.base, ends: vec![(begin, end)] };
            encoder.encode_block(&self.model, text, &alone, &mut head);
            heads.push((block.base + begin as usize, head));
        }
        let mut body = T::default();
        body.expect(self.pool.expected_ids(until - body_begin.min(until)));
        let end = encoder.encode(&self.pretokenizer, &self.model, text, body_begin, until, &mut body);
        Stretch { heads, body_begin, body, end }
    }
}

/// Pieces at the beginning of a stretch that are kept apart, to find where it meets the one before.
const LEAD: usize = 16;

/// A stretch of a text, encoded from a guessed place.
struct Stretch<T> {
    /// The first pieces: where each begins, and its ids.
    heads: Vec<(usize, T)>,
    /// Where the other pieces begin.
    body_begin: usize,
    body: T,
    /// Where the last piece ends.
    end: usize,
}

impl<T> Stretch<T> {
    /// This stretch from the piece boundary `at` on, or nothing where it has no boundary there.
    fn begun_at(mut self, at: usize) -> Option<Self> {
        let before = self.heads.partition_point(|&(begin, _)| begin < at);
        let boundary = self.heads.get(before).map_or(self.body_begin, |&(begin, _)| begin);
        self.heads.drain(..before);
        (boundary == at).then_some(self)
    }
}

/// The first place at or after `at` that is not inside a character.
fn char_boundary(text: &[u8], at: usize) -> usize {
    (at..text.len().min(at + 4)).find(|&at| text[at] & 0xC0 != 0x80).unwrap_or(at)
}
