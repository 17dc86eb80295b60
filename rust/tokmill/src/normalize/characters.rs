//! Normalisers that look at one character at a time: it stays, goes, or becomes a string of its own.
//!
//! What becomes of a character is computed once and kept in a page of 256 neighbours, so a text costs a lookup a
//! character and runs that stay as they are are copied whole. Printable ASCII takes no lookup at all.

use std::sync::OnceLock;

use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::char as ucd;

use super::unicode::Form;
use super::{BertOptions, LlamaCppOptions, Sink};

/// What is done to each character.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    Lowercase,
    Uppercase,
    StripAccents,
    Nmt,
    /// A form that decomposes, and then no combining marks.
    Decomposed(Form),
    /// The whole of a Bert normaliser, character by character.
    Bert(BertOptions),
    /// What llama.cpp does before vocabularies of BERT's kind.
    LlamaCpp(LlamaCppOptions),
    /// What a Bert normaliser does before it decomposes.
    BertBefore(BertOptions),
    /// What a Bert normaliser does after it has decomposed.
    BertAfter(BertOptions),
}

/// What becomes of a character.
enum Fate {
    /// It becomes what was appended.
    Written,
    /// It depends on its neighbours.
    Irregular,
}

impl Rule {
    /// Appends what `c` becomes.
    fn apply(self, c: char, out: &mut String) -> Fate {
        match self {
            Self::Lowercase => out.extend(c.to_lowercase()),
            Self::Uppercase => out.extend(c.to_uppercase()),
            Self::StripAccents if ucd::is_combining_mark(c) => {}
            Self::StripAccents => out.push(c),
            Self::Nmt => out.extend(nmt(c)),
            Self::Decomposed(form) => return decomposed(c, form, out),
            Self::Bert(options) => return bert(c, options, out),
            Self::LlamaCpp(options) => options.apply(c, out),
            Self::BertBefore(options) => bert_before(c, options, out),
            Self::BertAfter(options) => bert_after(c, options, out),
        }
        Fate::Written
    }

    /// Writes `text` without a table.
    pub(super) fn write_each(self, text: &str, sink: &mut impl Sink) {
        let mut written = String::new();
        for (at, c) in text.char_indices() {
            written.clear();
            self.apply(c, &mut written);
            let range = at..at + c.len_utf8();
            if written == text[range.clone()] {
                sink.keep(at, &written);
            } else {
                sink.write_text(&written, range);
            }
        }
    }

    /// Whether printable ASCII is put into lower case; it is never changed otherwise.
    fn lowers(self) -> bool {
        match self {
            Self::Lowercase => true,
            Self::Uppercase | Self::StripAccents | Self::Nmt | Self::Decomposed(_) | Self::BertBefore(_) => false,
            Self::Bert(options) | Self::BertAfter(options) => options.lowercase,
            Self::LlamaCpp(options) => options.lowercase,
        }
    }
}

fn nmt(c: char) -> Option<char> {
    match c {
        '\u{1}'..='\u{8}' | '\u{B}' | '\u{E}'..='\u{1F}' | '\u{7F}' | '\u{8F}' | '\u{9F}' => None,
        '\t'
        | '\n'
        | '\u{C}'
        | '\r'
        | '\u{1680}'
        | '\u{200B}'..='\u{200F}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{2581}'
        | '\u{FEFF}'
        | '\u{FFFD}' => Some(' '),
        other => Some(other),
    }
}

/// Where the marks go that are dropped is no matter, so neighbours do not matter but for what is moved and no mark.
fn decomposed(c: char, form: Form, out: &mut String) -> Fate {
    let mut fate = Fate::Written;
    form.of_char(c, |part| {
        if !ucd::is_combining_mark(part) {
            out.push(part);
            if ucd::canonical_combining_class(part) != 0 {
                fate = Fate::Irregular;
            }
        }
    });
    fate
}

fn bert(c: char, options: BertOptions, out: &mut String) -> Fate {
    let mut spaced = String::new();
    bert_before(c, options, &mut spaced);
    if !options.strips_accents() {
        spaced.chars().for_each(|c| bert_after(c, options, out));
        return Fate::Written;
    }
    let mut fate = Fate::Written;
    for c in spaced.chars() {
        ucd::decompose_canonical(c, |part| {
            if ucd::canonical_combining_class(part) != 0 && !part.is_mark_nonspacing() {
                // Where it comes to stand depends on the marks beside it.
                fate = Fate::Irregular;
            }
            bert_after(part, options, out);
        });
    }
    fate
}

fn bert_before(c: char, options: BertOptions, out: &mut String) {
    let mut c = c;
    if options.clean_text {
        if !matches!(c, '\t' | '\n' | '\r') && (c == '\0' || c == '\u{FFFD}' || c.is_other()) {
            return;
        }
        if c.is_whitespace() {
            c = ' ';
        }
    }
    if options.handle_chinese_chars && is_chinese(c) {
        out.extend([' ', c, ' ']);
    } else {
        out.push(c);
    }
}

fn bert_after(c: char, options: BertOptions, out: &mut String) {
    if options.strips_accents() && c.is_mark_nonspacing() {
        return;
    }
    if options.lowercase {
        out.extend(c.to_lowercase());
    } else {
        out.push(c);
    }
}

/// The ideographs that tokenizers puts blanks around; the gap before U+2B920 is its own.
pub(super) fn is_chinese(c: char) -> bool {
    matches!(
        u32::from(c),
        0x3400..=0x4DBF
            | 0x4E00..=0x9FFF
            | 0xF900..=0xFAFF
            | 0x2_0000..=0x2_A6DF
            | 0x2_A700..=0x2_B81F
            | 0x2_B920..=0x2_CEAF
            | 0x2_F800..=0x2_FA1F
    )
}

const PAGE: usize = 256;
const PAGES: usize = 0x11_0000 / PAGE;

/// A character that stays as it is.
const SAME: u32 = 0;
/// A character that depends on its neighbours.
const IRREGULAR: u32 = u32::MAX;

/// What becomes of 256 neighbouring characters.
#[derive(Debug)]
struct Page {
    /// [`SAME`], [`IRREGULAR`], or one more than where in `texts` a replacement begins, above its length in eight bits.
    entries: [u32; PAGE],
    texts: String,
}

/// A rule with its pages, each made when it is first needed.
#[derive(Debug)]
pub(super) struct CharacterMap {
    rule: Rule,
    pages: Box<[OnceLock<Box<Page>>]>,
}

impl CharacterMap {
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, pages: (0..PAGES).map(|_| OnceLock::new()).collect() }
    }

    #[inline]
    fn page(&self, c: char) -> &Page {
        let number = c as usize / PAGE;
        self.pages[number].get_or_init(|| self.make_page(number))
    }

    #[cold]
    fn make_page(&self, number: usize) -> Box<Page> {
        let mut page = Box::new(Page { entries: [SAME; PAGE], texts: String::new() });
        for (index, entry) in page.entries.iter_mut().enumerate() {
            let Some(c) = char::from_u32((number * PAGE + index) as u32) else { continue };
            let begin = page.texts.len();
            *entry = match self.rule.apply(c, &mut page.texts) {
                Fate::Irregular => {
                    page.texts.truncate(begin);
                    IRREGULAR
                }
                Fate::Written if page.texts[begin..] == *c.encode_utf8(&mut [0; 4]) => {
                    page.texts.truncate(begin);
                    SAME
                }
                Fate::Written => (begin as u32 + 1) << 8 | (page.texts.len() - begin) as u32,
            };
        }
        page
    }

    /// Where the first character that changes stands, if there is one.
    pub(super) fn first_change(&self, text: &str) -> Option<usize> {
        let lowers = self.rule.lowers();
        let mut at = 0;
        while at < text.len() {
            let run = printable(&text.as_bytes()[at..]);
            if lowers && let Some(upper) = text.as_bytes()[at..at + run].iter().position(u8::is_ascii_uppercase) {
                return Some(at + upper);
            }
            at += run;
            let Some(c) = text[at..].chars().next() else { break };
            if self.page(c).entries[c as usize % PAGE] != SAME {
                return Some(at);
            }
            at += c.len_utf8();
        }
        None
    }

    /// Writes `text`, whose characters before byte `from` do not change. `false` where a character depends on its
    /// neighbours; then a part of the text may have been written.
    pub(super) fn write(&self, text: &str, from: usize, sink: &mut impl Sink) -> bool {
        let lowers = self.rule.lowers();
        sink.keep(0, &text[..from]);
        let mut at = from;
        while at < text.len() {
            let run = printable(&text.as_bytes()[at..]);
            if run > 0 {
                sink.keep_lowered(at, &text[at..at + run], lowers);
                at += run;
            }
            let mut same = at;
            for c in text[at..].chars().take_while(|&c| !is_printable(c)) {
                let page = self.page(c);
                let end = at + c.len_utf8();
                match page.entries[c as usize % PAGE] {
                    SAME => {}
                    IRREGULAR => return false,
                    entry => {
                        sink.keep(same, &text[same..at]);
                        let (begin, len) = ((entry >> 8) as usize - 1, entry as usize & 0xFF);
                        sink.write_text(&page.texts[begin..begin + len], at..end);
                        same = end;
                    }
                }
                at = end;
            }
            sink.keep(same, &text[same..at]);
        }
        true
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// How many bytes of printable ASCII `bytes` begins with.
#[inline]
fn printable(bytes: &[u8]) -> usize {
    let is_printable = |byte: &u8| byte.wrapping_sub(b' ') < 0x5F;
    let (blocks, _) = bytes.as_chunks::<32>();
    let whole = blocks.iter().take_while(|block| block.iter().fold(true, |all, byte| all & is_printable(byte))).count();
    let begin = whole * 32;
    begin + bytes[begin..].iter().take_while(|byte| is_printable(byte)).count()
}
