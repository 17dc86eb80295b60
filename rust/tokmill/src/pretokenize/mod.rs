//! Pretokenization: cutting a text into the pieces that the model encodes one by one.

mod chars;
mod compile;
pub(crate) mod open;
pub mod patterns;
mod rewrite;
mod scan;
mod scripts;
mod separators;
mod spacing;
mod split;
mod staged;
mod step;

pub use rewrite::Rewritten;
pub(crate) use scripts::Scripts;
pub use spacing::{Positions, Spacing};
pub use step::{PrependScheme, SplitBehavior, SplitPattern, Step};

use std::ops::Range;

use self::compile::{Work, compile};
use self::rewrite::{Form, Rewriting};
use self::scan::{Chunk, Scanner};
use self::separators::Separators;
use self::staged::{Stage, Staged};
use crate::alignment::Alignment;
use crate::error::Result;
use crate::vocab::Spelling;

/// Pieces of a text, as byte positions relative to `base`.
///
/// A block is small (a few thousand pieces) so that it stays in cache between the scanner that fills it and the
/// encoder that empties it; positions are 32 bits wide, which `base` makes enough for any input.
#[derive(Debug, Default)]
pub struct Pieces {
    /// What the positions are relative to, in the text.
    pub base: usize,
    /// Begin and end of each piece, in order, never overlapping, never empty.
    pub ends: Vec<(u32, u32)>,
    /// Scratch of the scanner.
    chunk: Option<Box<Chunk>>,
}

impl Pieces {
    /// A block of known pieces.
    pub fn new(base: usize, ends: Vec<(u32, u32)>) -> Self {
        Self { base, ends, chunk: None }
    }

    /// The pieces as bytes of the text.
    fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.ends.iter().map(|&(begin, end)| self.base + begin as usize..self.base + end as usize)
    }
}

/// A validated, compiled pretokenizer.
#[derive(Debug)]
pub struct Pretokenizer {
    steps: Vec<Step>,
    plan: Plan,
}

/// A text as a pretokenizer leaves it, with its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The text, rewritten where the pretokenizer rewrites.
    pub text: String,
    /// Its pieces, in bytes of `text`, in order, none empty.
    pub pieces: Vec<Range<usize>>,
    /// What leads back from `text` to the text that came in.
    pub alignment: Alignment,
}

/// How the pieces are found.
#[derive(Debug)]
enum Plan {
    /// The text is one piece.
    Whole,
    /// Each blank behind another character begins a piece.
    Words,
    /// Step by step, which serves every pattern.
    Staged(Staged),
    /// By the vectorised scanner, which serves known patterns.
    Scan(Box<Scanner>),
    /// By classes of single characters.
    Separators(Box<Separators>),
    /// Step by step, rewriting the text.
    Rewrite(Rewriting),
    /// `Metaspace` alone, for a model that reads blanks: only the blank before the text has to be written.
    Blanks {
        /// Where a blank is put before a text.
        prepend_scheme: PrependScheme,
        /// Whether each blank begins a piece.
        split: bool,
    },
    /// `WhitespaceSplit` and `Metaspace`, for a model that reads blanks: each word behind a blank.
    SpacedWords,
}

impl Pretokenizer {
    /// Compiles a sequence of steps; none means that the whole text is one piece. A pattern that cannot be compiled
    /// is refused.
    pub fn new(steps: Vec<Step>) -> Result<Self> {
        if let Some(scanner) = Scanner::for_steps(&steps) {
            return Ok(Self { steps, plan: Plan::Scan(Box::new(scanner)) });
        }
        match steps.as_slice() {
            [Step::BertPreTokenizer] => Ok(Self { steps, plan: Plan::Separators(Box::new(Separators::new(true))) }),
            [Step::WhitespaceSplit] => Ok(Self { steps, plan: Plan::Separators(Box::new(Separators::new(false))) }),
            _ => Self::staged(steps),
        }
    }

    /// A pretokenizer that goes step by step even where there is a faster plan, for comparison.
    #[doc(hidden)]
    pub fn staged(steps: Vec<Step>) -> Result<Self> {
        let plan = Plan::step_by_step(&steps, Form::Bytes)?;
        Ok(Self { steps, plan })
    }

    /// The same pretokenizer for a model whose vocabulary is spelled so. A vocabulary in which blanks stand for
    /// U+2581 is given blanks: `Metaspace` then has little to rewrite.
    pub fn for_spelling(mut self, spelling: Spelling) -> Result<Self> {
        match (spelling, self.steps.as_slice()) {
            (Spelling::Metaspace, steps) if steps.iter().all(is_split_at_blanks) => self.plan = Plan::Whole,
            (Spelling::Metaspace, &[Step::Metaspace { replacement: '\u{2581}', prepend_scheme, split }]) => {
                self.plan = Plan::Blanks { prepend_scheme, split };
            }
            (
                Spelling::Metaspace,
                &[
                    Step::WhitespaceSplit,
                    Step::Metaspace { replacement: '\u{2581}', prepend_scheme: PrependScheme::Always, split: true },
                ],
            ) => self.plan = Plan::SpacedWords,
            (Spelling::Metaspace, steps) => self.plan = Plan::step_by_step(steps, Form::Blanks)?,
            (Spelling::Plain, steps) if steps.iter().any(|step| matches!(step, Step::ByteLevel { .. })) => {
                self.plan = Plan::step_by_step(steps, Form::Text)?;
            }
            _ => {}
        }
        Ok(self)
    }

    /// The same pretokenizer for a model whose pieces may be cut before each blank that follows another character.
    pub fn cutting_words(mut self) -> Self {
        if matches!(self.plan, Plan::Whole) {
            self.plan = Plan::Words;
        }
        self
    }

    /// Whether texts may come with blanks for U+2581 and no other blanks.
    pub fn takes_blanks(&self) -> bool {
        matches!(self.plan, Plan::Whole | Plan::Words | Plan::Blanks { .. })
    }

    /// The steps as the owner's file lists them.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether pieces are the words between white space, each behind one blank.
    pub fn spaces_words(&self) -> bool {
        matches!(self.plan, Plan::SpacedWords)
    }

    /// Whether a word behind a blank is a piece as it stands, for a pretokenizer that [`Self::spaces_words`].
    pub fn keeps_word(&self, word: &[u8]) -> bool {
        rewrite::is_word(word)
    }

    /// Whether every text, once it is rewritten, is one piece.
    pub fn cuts_nothing(&self) -> bool {
        matches!(self.plan, Plan::Whole | Plan::Blanks { split: false, .. })
    }

    /// Whether the pieces of a text are parts of one, in the eyes of the owner of the file.
    pub fn joins_pieces(&self) -> bool {
        matches!(self.plan, Plan::Words)
    }

    /// Whether each blank begins a piece, for a pretokenizer that cuts nowhere else; `None` for others.
    pub fn cuts_at_blanks(&self) -> Option<bool> {
        match self.plan {
            Plan::Whole | Plan::Words => Some(false),
            Plan::Blanks { split, .. } => Some(split),
            _ => None,
        }
    }

    /// Whether a blank is put before a text that does not begin with one, and nothing else is rewritten
    /// (`add_prefix_space` of a `ByteLevel` that comes first).
    pub fn adds_prefix_space(&self) -> bool {
        !self.rewrites() && matches!(self.steps.first(), Some(Step::ByteLevel { add_prefix_space: true, .. }))
    }

    /// Whether pieces are those of a text that [`Self::rewrite`] makes.
    pub fn rewrites(&self) -> bool {
        matches!(self.plan, Plan::Rewrite(_) | Plan::Blanks { .. } | Plan::SpacedWords)
    }

    /// Whether [`Self::rewrite`] has to know where a text stands.
    pub fn asks_for_start(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Metaspace { prepend_scheme: PrependScheme::First, .. }))
    }

    /// Rewrites a text that is not empty, of which the first `head` bytes come from the first character of the original
    /// text. Where the result comes without blocks, its pieces are those of [`Self::fill`].
    pub fn rewrite(&self, text: &[u8], head: usize, aligned: bool) -> Rewritten {
        match &self.plan {
            Plan::Rewrite(rewriting) => rewriting.run(text, head, aligned),
            Plan::SpacedWords => rewrite::spaced_words(text, aligned),
            Plan::Blanks { prepend_scheme, .. } => rewrite::blanks(*prepend_scheme, text, head > 0, aligned),
            Plan::Whole | Plan::Words | Plan::Staged(_) | Plan::Scan(_) | Plan::Separators(_) => {
                let alignment = aligned.then(|| Alignment::identity(text.len()));
                Rewritten { text: text.to_vec(), blocks: None, alignment }
            }
        }
    }

    /// Replaces `pieces` by a block of the next pieces of `text` from byte `from`, which is a piece boundary, and
    /// returns the byte where the next block begins: `text.len()` when the text is used up. A block may be empty
    /// before the end (where a pattern drops text), but every call moves on.
    pub fn fill(&self, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
        pieces.base = from;
        pieces.ends.clear();
        let reach = reach(text, from);
        match &self.plan {
            Plan::Words => fill_words(&text[..reach], from, &mut pieces.ends),
            Plan::Blanks { split: true, .. } | Plan::SpacedWords => {
                fill_before_blanks(&text[..reach], from, &mut pieces.ends)
            }
            // A text that is rewritten comes with its pieces.
            Plan::Whole | Plan::Rewrite(_) | Plan::Blanks { split: false, .. } => {
                pieces.ends.extend((from < reach).then_some((0, (reach - from) as u32)));
                reach
            }
            Plan::Staged(staged) => staged.fill(&text[..reach], from, &mut pieces.ends),
            Plan::Scan(scanner) => scanner.fill(&text[..reach], from, pieces),
            Plan::Separators(separators) => separators.fill(&text[..reach], from, &mut pieces.ends),
        }
    }

    /// Whether [`Self::fill_texts`] serves this pretokenizer.
    pub fn takes_texts(&self) -> bool {
        matches!(&self.plan, Plan::Scan(scanner) if scanner.takes_texts())
    }

    /// Replaces `pieces` by all pieces of short texts that lie one behind the other and end at `stops`, with a piece of no
    /// bytes behind each text, for a pretokenizer that [`Self::takes_texts`]. Only the first text may begin with a byte that
    /// goes on with a character.
    pub fn fill_texts(&self, texts: &[u8], stops: &[usize], pieces: &mut Pieces) {
        if let Plan::Scan(scanner) = &self.plan {
            scanner.fill_texts(texts, stops, pieces);
        }
    }

    /// What becomes of a text, of which the first `head` bytes come from the first character of the original text.
    /// Pieces are spelled as the steps leave them if this is a pretokenizer for [`Spelling::Plain`].
    pub fn cut(&self, text: &str, head: usize) -> Cut {
        if text.is_empty() || !self.rewrites() {
            let pieces = self.split(text.as_bytes());
            return Cut { text: text.to_owned(), pieces, alignment: Alignment::identity(text.len()) };
        }
        let rewritten = self.rewrite(text.as_bytes(), head, true);
        let pieces = match &rewritten.blocks {
            Some(blocks) => blocks.iter().flat_map(Pieces::ranges).collect(),
            None => self.split(&rewritten.text),
        };
        let alignment = rewritten.alignment.expect("the alignment was asked for");
        Cut { text: String::from_utf8_lossy(&rewritten.text).into_owned(), pieces, alignment }
    }

    /// All pieces of `text`, which is not rewritten, for tests and for looking.
    pub fn split(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut pieces = Pieces::default();
        let mut all = Vec::new();
        let mut from = 0;
        while from < text.len() {
            from = self.fill(text, from, &mut pieces);
            all.extend(pieces.ranges());
        }
        all
    }
}

impl Plan {
    /// Without any short cut, for a model that reads `form`.
    fn step_by_step(steps: &[Step], form: Form) -> Result<Self> {
        let mut works = compile(steps)?;
        if form == Form::Bytes {
            // The blank before the whole text is the caller's to add.
            let first = usize::from(matches!(works.first(), Some(Work::PrefixBlank)));
            let last = works.len() - usize::from(matches!(works.last(), Some(Work::MapBytes)));
            if works.get(first..last).is_none_or(|works| works.iter().all(|work| matches!(work, Work::Cut(_)))) {
                let stage = |work| if let Work::Cut(stage) = work { Some(stage) } else { None };
                let stages: Vec<Stage> = works.into_iter().filter_map(stage).collect();
                return Ok(if stages.is_empty() { Self::Whole } else { Self::Staged(Staged::new(stages)) });
            }
        }
        let last = works.iter().rfind(|work| !matches!(work, Work::Cut(_)));
        let form = if form == Form::Bytes && !matches!(last, Some(Work::MapBytes)) { Form::Text } else { form };
        works.shrink_to_fit();
        Ok(Self::Rewrite(Rewriting::new(works, form)))
    }
}

/// Whether a step cuts at blanks alone; where all blanks are rewritten before, it does nothing.
fn is_split_at_blanks(step: &Step) -> bool {
    matches!(step, Step::Split { pattern: SplitPattern::Literal(literal), invert: false, .. } if literal == " ")
}

/// Appends a block of pieces of which each begins at a blank, but for the first.
fn fill_before_blanks(text: &[u8], from: usize, ends: &mut Vec<(u32, u32)>) -> usize {
    fill_from_begins(text, from, ends, |[_, byte]| byte == b' ')
}

/// Appends a block of pieces of which each begins at a blank that follows another character, but for the first.
fn fill_words(text: &[u8], from: usize, ends: &mut Vec<(u32, u32)>) -> usize {
    fill_from_begins(text, from, ends, |[before, byte]| byte == b' ' && before != b' ')
}

/// Appends a block of pieces, each of which begins where a byte and the one before it say so, but for the first.
fn fill_from_begins(text: &[u8], from: usize, ends: &mut Vec<(u32, u32)>, begins: impl Fn([u8; 2]) -> bool) -> usize {
    const ENOUGH: usize = 2048;
    const CHUNK: usize = 256;
    let rest = &text[from..];
    let (mut begin, mut at) = (0, 1);
    let mut found = [0; CHUNK];
    while at < rest.len() {
        let mut count = 0;
        let end = rest.len().min(at + CHUNK);
        for (place, pair) in (at as u32..).zip(rest[at - 1..end].windows(2)) {
            // Written so that it compiles to no branch: where pieces begin is not predictable.
            found[count] = place;
            count += usize::from(begins([pair[0], pair[1]]));
        }
        for &place in &found[..count] {
            ends.push((begin, place));
            begin = place;
        }
        at = end;
        if ends.len() >= ENOUGH {
            return from + begin as usize;
        }
    }
    if (begin as usize) < rest.len() {
        ends.push((begin, rest.len() as u32));
    }
    text.len()
}

/// Bytes of a block at the most, so that positions fit 32 bits.
const LONGEST_BLOCK: usize = 1 << 31;

/// How far a block from `from` may reach: the end of the text, or a character's begin two GiB on. Only a piece of that
/// length is cut by it.
fn reach(text: &[u8], from: usize) -> usize {
    if text.len() - from <= LONGEST_BLOCK {
        return text.len();
    }
    let limit = from + LONGEST_BLOCK;
    (limit - 3..=limit).rev().find(|&at| text[at] & 0xC0 != 0x80).unwrap_or(limit)
}
