//! Added tokens: strings that are found in the text before the model sees it.
//!
//! There are two rounds, as in tokenizers: tokens with `normalized: false` are looked for in the raw text, the others,
//! by their normalised content, in each normalised piece between. Each round finds the longest token at the first place
//! where there is one, then goes on behind it; a match that is turned down (a special token that is not allowed, a
//! `single_word` token inside a word) is passed over whole.
//!
//! llama.cpp looks for one token after the other, the longest first, and passes over none that hold others. Where that
//! can make a difference ([`Matching::LlamaCpp`]), all places of all tokens are found and taken in that order.

mod search;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashSet;
use search::Search;

use crate::error::{Error, Result};
use crate::normalize::Normalizer;
use crate::vocab::Vocab;

/// A token that is matched as a whole, with the flags of tokenizers' `AddedToken`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddedToken {
    /// The id that a match becomes.
    pub id: u32,
    /// What is looked for.
    pub content: String,
    /// Match only where no word character stands beside it.
    pub single_word: bool,
    /// A match takes the white space before it along.
    pub lstrip: bool,
    /// A match takes the white space after it along.
    pub rstrip: bool,
    /// Look in the normalised text, for the normalised content.
    pub normalized: bool,
    /// A control token: matched only where the caller allows it, and left out by `skip_special_tokens`.
    pub special: bool,
}

impl AddedToken {
    /// A special token without further flags.
    pub fn special(content: impl Into<String>, id: u32) -> Self {
        Self {
            id,
            content: content.into(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: true,
        }
    }

    /// Checks that the id is free, or that of the entry that is spelled like the token.
    pub(crate) fn check_id(&self, vocab: &Vocab) -> Result<()> {
        match vocab.spelled(self.id) {
            Some(other) if other != self.content => {
                let why = format!("its id {} is that of the entry {other:?}", self.id);
                Err(Error::format(format!("added token {:?}", self.content), why))
            }
            _ => Ok(()),
        }
    }
}

/// Whose way of looking for added tokens it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// The first place where there is one, and the longest there.
    #[default]
    Tokenizers,
    /// The longest one, wherever it is. White space that tokens take along is that of ASCII.
    LlamaCpp,
}

/// Which special tokens may be recognised in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedSpecial {
    /// None: a text never yields the id of a special token.
    #[default]
    None,
    /// All of them.
    All,
    /// Those with these ids.
    Only(Vec<u32>),
}

impl AllowedSpecial {
    fn allows(&self, id: u32) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(ids) => ids.contains(&id),
        }
    }
}

/// A part of a text: an added token, or what stands between two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// An added token and the bytes it takes.
    Token(u32, Range<usize>),
    /// Ordinary text; never empty.
    Text(Range<usize>),
}

/// The two rounds of looking for added tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// In the raw text.
    Raw,
    /// In a normalised piece.
    Normalized,
}

/// The added tokens of a tokenizer, in order of id.
#[derive(Debug)]
pub struct AddedTokens {
    tokens: Vec<AddedToken>,
    /// Normalised contents of the normalized tokens that the normaliser changes, in order of id.
    rewritten: Vec<(u32, String)>,
    special_contents: HashSet<String>,
    raw: Matcher,
    normalized: Matcher,
    /// Whether a blank of a normalized text stands for U+2581.
    blanks_are_marks: bool,
    rule: Matching,
}

/// The search of one round.
#[derive(Debug, Default)]
struct Matcher {
    /// For contents by index into [`AddedTokens::tokens`].
    search: Option<Search>,
    /// Whether all tokens of the round are special.
    only_special: bool,
    /// The token whose content normalises to nothing, by index into [`AddedTokens::tokens`]. It is found at every place
    /// and takes none, so that texts are cut there.
    cut: Option<usize>,
}

impl AddedTokens {
    /// Builds the matchers. `normalizer` is the tokenizer's, applied to the contents of normalized tokens.
    pub fn new(tokens: Vec<AddedToken>, normalizer: Option<&Normalizer>) -> Result<Self> {
        Self::matching(tokens, Matching::Tokenizers, normalizer, None)
    }

    /// The same by either rule, for texts that come with blanks for U+2581, from `with_blanks`, where it is given
    /// ([`Normalizer::with_blanks`]).
    pub fn matching(
        mut tokens: Vec<AddedToken>,
        rule: Matching,
        normalizer: Option<&Normalizer>,
        with_blanks: Option<&Normalizer>,
    ) -> Result<Self> {
        tokens.retain(|token| !token.content.is_empty());
        tokens.sort_by_key(|token| token.id);
        if let Some(pair) = tokens.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(Error::format(
                format!("added token {:?}", pair[1].content),
                format!("has the id {} of {:?}", pair[1].id, pair[0].content),
            ));
        }
        let raw = Matcher::new(&tokens, |token| !token.normalized, None)?;
        let normalized = Matcher::new(&tokens, |token| token.normalized, with_blanks.or(normalizer))?;
        let rewrite = |token: &AddedToken| match normalizer?.normalize(&token.content) {
            Cow::Owned(content) if content != token.content => Some((token.id, content)),
            _ => None,
        };
        let rewritten = tokens.iter().filter(|token| token.normalized).filter_map(rewrite).collect();
        let specials = tokens.iter().filter(|token| token.special);
        let special_contents = specials.map(|token| token.content.clone()).collect();
        let blanks_are_marks = with_blanks.is_some();
        let rule = if rule == Matching::LlamaCpp && order_matters(&tokens) { rule } else { Matching::Tokenizers };
        Ok(Self { tokens, rewritten, special_contents, raw, normalized, blanks_are_marks, rule })
    }

    /// What decoders see of a token: its content, normalised where it is matched in normalised text.
    pub fn decoded_content<'a>(&'a self, token: &'a AddedToken) -> &'a str {
        match self.rewritten.binary_search_by_key(&token.id, |(id, _)| *id) {
            Ok(at) => &self.rewritten[at].1,
            Err(_) => &token.content,
        }
    }

    /// Whether a special token has this content. Decoders leave out what is spelled like one.
    pub fn is_special_content(&self, content: &str) -> bool {
        self.special_contents.contains(content)
    }

    /// The tokens, in order of id.
    pub fn tokens(&self) -> &[AddedToken] {
        &self.tokens
    }

    /// The token with this id.
    pub fn get(&self, id: u32) -> Option<&AddedToken> {
        self.tokens.binary_search_by_key(&id, |token| token.id).ok().map(|at| &self.tokens[at])
    }

    /// Whose way of looking for tokens it is; that of tokenizers where both give the same.
    pub fn rule(&self) -> Matching {
        self.rule
    }

    /// Whether a search could find anything, given what is allowed.
    pub fn may_match(&self, round: Round, allowed: &AllowedSpecial) -> bool {
        let matcher = self.matcher(round);
        (matcher.search.is_some() || matcher.cut.is_some())
            && !(matcher.only_special && *allowed == AllowedSpecial::None)
    }

    /// Cuts `text` into added tokens and what stands between, in order. Stops at the first error of `visit`.
    pub fn segments(
        &self,
        round: Round,
        text: &[u8],
        allowed: &AllowedSpecial,
        mut visit: impl FnMut(Segment) -> Result<()>,
    ) -> Result<()> {
        let matcher = self.matcher(round);
        // Blanks that stand for U+2581 are no white space.
        let marks = round == Round::Normalized && self.blanks_are_marks;
        let is_space = |c: &char| {
            c.is_whitespace() && !(marks && *c == ' ') && (c.is_ascii() || self.rule == Matching::Tokenizers)
        };
        let cut =
            matcher.cut.map(|index| &self.tokens[index]).filter(|token| !token.special || allowed.allows(token.id));
        let mut done = 0;
        let search = matcher.search.as_ref().filter(|_| self.may_match(round, allowed));
        if let Some(search) = search.filter(|_| self.rule == Matching::LlamaCpp) {
            for (Range { start, end }, id) in self.longest_first(search, text, allowed, is_space) {
                if done < start {
                    visit(Segment::Text(done..start))?;
                }
                visit(Segment::Token(id, start..end))?;
                done = end;
            }
        } else if let Some(search) = search {
            search.for_matches(text, |index, Range { start: mut begin, mut end }| {
                let token = &self.tokens[index];
                if token.special && !allowed.allows(token.id) {
                    return Ok(());
                }
                if token.single_word && (ends_in_word(&text[..begin]) || begins_with_word(&text[end..])) {
                    return Ok(());
                }
                if token.lstrip {
                    begin = begin_of_trailing_space(&text[..begin], is_space).max(done);
                }
                if token.rstrip {
                    end += end_of_leading_space(&text[end..], is_space);
                }
                if begin >= end {
                    // White space that the token before has taken.
                    return Ok(());
                }
                if done < begin {
                    visit_text(cut, text, done..begin, &mut visit)?;
                }
                visit(Segment::Token(token.id, begin..end))?;
                done = end;
                Ok(())
            })?;
        }
        if done < text.len() {
            visit_text(cut, text, done..text.len(), &mut visit)?;
        }
        Ok(())
    }

    /// What llama.cpp finds: the longest tokens first, of these the one with the least id, from left to right, in what is
    /// left of the text.
    fn longest_first(
        &self,
        search: &Search,
        text: &[u8],
        allowed: &AllowedSpecial,
        is_space: impl Fn(&char) -> bool,
    ) -> Vec<(Range<usize>, u32)> {
        let mut places = Vec::new();
        search.for_candidates(text, |at| {
            places.extend(search.beginning(&text[at..]).map(|(len, index)| (Reverse(len), index, at)));
        });
        places.sort_unstable();
        let mut taken: BTreeMap<usize, (usize, u32)> = BTreeMap::new();
        for (Reverse(len), index, begin) in places {
            let token = &self.tokens[index as usize];
            let (mut begin, mut end) = (begin, begin + len);
            let left = taken.range(..end).next_back().map_or(0, |(_, &(end, _))| end);
            if token.special && !allowed.allows(token.id) || left > begin {
                continue;
            }
            let right = taken.range(begin..).next().map_or(text.len(), |(&begin, _)| begin);
            if token.lstrip {
                begin = begin_of_trailing_space(&text[..begin], &is_space).max(left);
            }
            if token.rstrip {
                end += end_of_leading_space(&text[end..right], &is_space);
            }
            taken.insert(begin, (end, token.id));
        }
        taken.into_iter().map(|(begin, (end, id))| (begin..end, id)).collect()
    }

    fn matcher(&self, round: Round) -> &Matcher {
        match round {
            Round::Raw => &self.raw,
            Round::Normalized => &self.normalized,
        }
    }
}

impl Matcher {
    fn new(
        tokens: &[AddedToken],
        belongs: impl Fn(&AddedToken) -> bool,
        normalizer: Option<&Normalizer>,
    ) -> Result<Self> {
        let content = |token: &AddedToken| match normalizer {
            Some(normalizer) => normalizer.normalize(&token.content).into_owned(),
            None => token.content.clone(),
        };
        let taking_blanks = |token: &&AddedToken| belongs(token) && (token.lstrip || token.rstrip);
        if let Some(token) = tokens.iter().filter(taking_blanks).find(|token| content(token).is_empty()) {
            let what = "a token that strips the text beside it and whose own content normalises to nothing";
            return Err(Error::unsupported(format!("added token {:?}", token.content), what));
        }
        let (empty, contents): (Vec<(usize, String)>, Vec<_>) = (0..tokens.len())
            .filter(|&index| belongs(&tokens[index]))
            .map(|index| (index, content(&tokens[index])))
            .partition(|(_, content)| content.is_empty());
        let flags = |&(index, _): &(usize, String)| (tokens[index].special, tokens[index].single_word);
        if empty.iter().any(|token| flags(token) != flags(&empty[0])) {
            return Err(Error::unsupported("added_tokens", "tokens with different flags that normalise to nothing"));
        }
        let cut = empty.first().map(|&(index, _)| index);
        let only_special = contents.iter().chain(&empty).all(|&(index, _)| tokens[index].special);
        let search = if contents.is_empty() { None } else { Some(Search::new(&contents)) };
        Ok(Self { search, only_special, cut })
    }
}

/// Hands on what stands between tokens, cut wherever a token is found that takes no place.
fn visit_text(
    cut: Option<&AddedToken>,
    text: &[u8],
    range: Range<usize>,
    visit: &mut impl FnMut(Segment) -> Result<()>,
) -> Result<()> {
    let mut begin = range.start;
    if let Some(token) = cut {
        let is_cut = |at: &usize| {
            text[*at] & 0xC0 != 0x80
                && !(token.single_word && (ends_in_word(&text[..*at]) || begins_with_word(&text[*at..])))
        };
        for at in (range.start + 1..range.end).filter(is_cut) {
            visit(Segment::Text(begin..at))?;
            begin = at;
        }
    }
    visit(Segment::Text(begin..range.end))
}

/// Whether it can make a difference in which order tokens are looked for, or what white space is: some take white space
/// along, one ends as another begins, or one that may be passed over holds another. Runs of one character are no matter.
fn order_matters(tokens: &[AddedToken]) -> bool {
    if tokens.iter().any(|token| token.lstrip || token.rstrip) {
        return true;
    }
    let ends = |content: &'_ str| content.char_indices().map(|(at, _)| at).skip(1).collect::<Vec<_>>();
    let beginnings: HashSet<&str> =
        tokens.iter().flat_map(|token| ends(&token.content).into_iter().map(|at| &token.content[..at])).collect();
    let is_run = |content: &str| content.chars().all(|c| content.starts_with(c));
    let overlaps =
        |token: &AddedToken| ends(&token.content).iter().any(|&at| beginnings.contains(&token.content[at..]));
    let open: HashSet<&str> = tokens.iter().filter(|token| !token.special).map(|token| &*token.content).collect();
    let longest = open.iter().map(|content| content.len()).max().unwrap_or(0);
    let holds = |token: &AddedToken| {
        let content = &*token.content;
        content.char_indices().any(|(begin, c)| {
            let inner = begin + c.len_utf8()..=content.len().min(begin + longest);
            inner.filter(|&end| content.is_char_boundary(end)).any(|end| open.contains(&content[begin..end]))
        })
    };
    tokens.iter().any(|token| !is_run(&token.content) && overlaps(token) || token.special && holds(token))
}

/// The last character of `text`, if it ends in a whole one.
fn last_char(text: &[u8]) -> Option<char> {
    let begin = (1..=text.len().min(4)).map(|back| text.len() - back).find(|&at| text[at] & 0xC0 != 0x80)?;
    std::str::from_utf8(&text[begin..]).ok()?.chars().next()
}

/// The first character of `text`, if it begins with a whole one.
fn first_char(text: &[u8]) -> Option<char> {
    let len = match text.first()? {
        0..0x80 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    };
    std::str::from_utf8(text.get(..len)?).ok()?.chars().next()
}

fn is_word(c: char) -> bool {
    regex_syntax::is_word_character(c)
}

fn ends_in_word(text: &[u8]) -> bool {
    last_char(text).is_some_and(is_word)
}

fn begins_with_word(text: &[u8]) -> bool {
    first_char(text).is_some_and(is_word)
}

fn begin_of_trailing_space(text: &[u8], is_space: impl Fn(&char) -> bool) -> usize {
    let mut end = text.len();
    while let Some(c) = last_char(&text[..end]).filter(&is_space) {
        end -= c.len_utf8();
    }
    end
}

fn end_of_leading_space(text: &[u8], is_space: impl Fn(&char) -> bool) -> usize {
    let mut begin = 0;
    while let Some(c) = first_char(&text[begin..]).filter(&is_space) {
        begin += c.len_utf8();
    }
    begin
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(content: &str, id: u32) -> AddedToken {
        AddedToken { special: false, ..AddedToken::special(content, id) }
    }

    fn cut(tokens: Vec<AddedToken>, text: &str, allowed: &AllowedSpecial) -> Vec<(Option<u32>, String)> {
        let added = AddedTokens::new(tokens, None).unwrap();
        let mut parts = Vec::new();
        added
            .segments(Round::Raw, text.as_bytes(), allowed, |segment| {
                parts.push(match segment {
                    Segment::Token(id, range) => (Some(id), text[range].to_owned()),
                    Segment::Text(range) => (None, text[range].to_owned()),
                });
                Ok(())
            })
            .unwrap();
        parts
    }

    fn part(id: impl Into<Option<u32>>, text: &str) -> (Option<u32>, String) {
        (id.into(), text.to_owned())
    }

    #[test]
    fn a_rejected_match_is_passed_over_whole() {
        let ab = AddedToken { single_word: true, ..plain("ab", 7) };
        let parts = cut(vec![ab, plain("b", 8)], "cab b", &AllowedSpecial::None);
        assert_eq!(parts, [part(None, "cab "), part(8, "b")]);
    }

    #[test]
    fn stripping_stops_at_the_previous_match() {
        let mask = AddedToken { lstrip: true, rstrip: true, ..plain("<m>", 3) };
        let parts = cut(vec![mask], "a <m> <m> b", &AllowedSpecial::None);
        assert_eq!(parts, [part(None, "a"), part(3, " <m> "), part(3, "<m> "), part(None, "b")]);
    }

    #[test]
    fn a_token_that_normalises_to_nothing_cuts_texts_everywhere() {
        let blanks = AddedToken { normalized: true, ..plain("  ", 7) };
        let added = AddedTokens::new(vec![blanks], Some(&Normalizer::Strip { left: true, right: true })).unwrap();
        let mut parts = Vec::new();
        let take = |segment| {
            parts.push(segment);
            Ok(())
        };
        added.segments(Round::Normalized, "aéb".as_bytes(), &AllowedSpecial::None, take).unwrap();
        assert_eq!(parts, [Segment::Text(0..1), Segment::Text(1..3), Segment::Text(3..4)]);

        let greedy = AddedToken { normalized: true, rstrip: true, ..plain("  ", 7) };
        AddedTokens::new(vec![greedy], Some(&Normalizer::Strip { left: true, right: true })).unwrap_err();
    }

    #[test]
    fn white_space_is_taken_once() {
        let greedy = || vec![AddedToken { lstrip: true, rstrip: true, ..plain("  ", 7) }];
        assert_eq!(cut(greedy(), "    ", &AllowedSpecial::All), [part(7, "    ")]);
        assert_eq!(cut(greedy(), "     x", &AllowedSpecial::All), [part(7, "     "), part(None, "x")]);
    }

    proptest! {
        /// Against a search for each token at each place.
        #[test]
        fn the_longest_token_at_the_first_place_is_found(
            contents in prop::collection::vec("[ab▁é]{1,4}", 1..12),
            text in "[abc▁éè]{0,20}|[abc]{250,270}",
        ) {
            let tokens = (0..).zip(&contents).map(|(id, content): (u32, _)| plain(content, id)).collect();
            let (mut expected, mut at, mut begin) = (Vec::new(), 0, 0);
            while let Some(c) = text[at..].chars().next() {
                let here = contents.iter().zip(0u32..).filter(|(content, _)| text[at..].starts_with(content.as_str()));
                // The first of equal ones.
                let Some((content, id)) = here.max_by(|a, b| a.0.len().cmp(&b.0.len()).then(b.1.cmp(&a.1))) else {
                    at += c.len_utf8();
                    continue;
                };
                expected.extend((begin < at).then(|| part(None, &text[begin..at])));
                expected.push(part(id, content));
                at += content.len();
                begin = at;
            }
            expected.extend((begin < at).then(|| part(None, &text[begin..])));
            prop_assert_eq!(cut(tokens, &text, &AllowedSpecial::None), expected);
        }
    }

    #[test]
    fn special_tokens_need_leave() {
        let tokens = || vec![AddedToken::special("<s>", 1), AddedToken::special("<e>", 2)];
        assert_eq!(cut(tokens(), "<s>x<e>", &AllowedSpecial::None), [part(None, "<s>x<e>")]);
        assert_eq!(cut(tokens(), "<s>x<e>", &AllowedSpecial::Only(vec![2])), [part(None, "<s>x"), part(2, "<e>")]);
        assert_eq!(cut(tokens(), "<s>x<e>", &AllowedSpecial::All), [part(1, "<s>"), part(None, "x"), part(2, "<e>")]);
    }
}
