//! Post-processing: special tokens around a sequence or a pair, and the trimming of offsets.

use crate::error::{Error, Result};

/// A post-processor of tokenizer.json. Names and options are those of tokenizers' JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostProcessor {
    /// Leaves the ids alone; takes white space out of the offsets where `trim_offsets`.
    ByteLevel {
        /// Keep one leading blank in the first token's offsets.
        add_prefix_space: bool,
        /// Take leading and trailing white space out of the offsets.
        trim_offsets: bool,
        /// Kept for the file.
        use_regex: bool,
    },
    /// Special tokens around one sequence or a pair.
    Template(Template),
    /// `cls A sep`, or `cls A sep B sep`.
    Bert {
        /// Written behind each sequence, and its id.
        sep: (String, u32),
        /// Written before the first, and its id.
        cls: (String, u32),
    },
    /// `cls A sep`, or `cls A sep sep B sep`, all with type id 0; takes white space out of the offsets where
    /// `trim_offsets`.
    Roberta {
        /// Written behind each sequence and before the second, and its id.
        sep: (String, u32),
        /// Written before the first, and its id.
        cls: (String, u32),
        /// Take leading and trailing white space out of the offsets.
        trim_offsets: bool,
        /// Keep one leading blank in the first token's offsets.
        add_prefix_space: bool,
    },
    /// One after the other.
    Sequence(Vec<PostProcessor>),
}

/// Where special tokens go (tokenizers' `TemplateProcessing`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Layout for one sequence.
    pub single: Vec<TemplatePiece>,
    /// Layout for a pair.
    pub pair: Vec<TemplatePiece>,
    /// The special tokens that the layouts name, in the file's order.
    pub special_tokens: Vec<TemplateSpecial>,
}

impl Template {
    /// A template from layouts written as in tokenizers: pieces between blanks, `$A` and `$B` for the sequences and
    /// anything else for a special token, each with an optional type id behind a colon: `"[CLS] $A [SEP] $B:1 [SEP]:1"`.
    /// Without a layout for pairs, these are put end to end. `id` looks a special token up.
    pub fn parse(single: &str, pair: Option<&str>, id: impl Fn(&str) -> Option<u32>) -> Result<Self> {
        let layout = |text: &str| text.split_whitespace().map(TemplatePiece::parse).collect::<Vec<_>>();
        let (single, pair) = (layout(single), layout(pair.unwrap_or("$A $B:1")));
        let second = |piece: &TemplatePiece| matches!(piece, TemplatePiece::Sequence { second: true, .. });
        if single.iter().any(second) {
            return Err(Error::option("template", "$B belongs into the layout for pairs"));
        }
        let mut special_tokens: Vec<TemplateSpecial> = Vec::new();
        for piece in single.iter().chain(&pair) {
            let TemplatePiece::Special { name, .. } = piece else { continue };
            if special_tokens.iter().any(|special| special.name == *name) {
                continue;
            }
            let unknown = || Error::option("template", format!("{name:?} is not a special token"));
            let ids = vec![id(name).ok_or_else(unknown)?];
            special_tokens.push(TemplateSpecial { name: name.clone(), ids, tokens: vec![name.clone()] });
        }
        Ok(Self { single, pair, special_tokens })
    }
}

/// One place of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePiece {
    /// The first (`A`) or the second sequence.
    Sequence {
        /// Whether this is the second sequence.
        second: bool,
        /// Type id of its tokens.
        type_id: u32,
    },
    /// A special token, by its name in [`Template::special_tokens`].
    Special {
        /// The name.
        name: String,
        /// Type id of its tokens.
        type_id: u32,
    },
}

impl TemplatePiece {
    fn parse(text: &str) -> Self {
        let typed = text.rsplit_once(':').and_then(|(body, type_id)| Some((body, type_id.parse().ok()?)));
        let (body, type_id) = typed.filter(|(body, _)| !body.is_empty()).unwrap_or((text, 0));
        match body {
            "$A" | "$B" => Self::Sequence { second: body == "$B", type_id },
            name => Self::Special { name: name.to_owned(), type_id },
        }
    }
}

/// A special token of a template; it may stand for several ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSpecial {
    /// Its name.
    pub name: String,
    /// Its ids.
    pub ids: Vec<u32>,
    /// How the ids are written.
    pub tokens: Vec<String>,
}

/// What a row of ids consists of, with the names of a template resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The ids of the first (`false`) or the second text.
    Text {
        /// Whether this is the second text.
        second: bool,
        /// Type id of each.
        type_id: u32,
    },
    /// A special token.
    Special {
        /// Its ids.
        ids: Vec<u32>,
        /// Type id of each.
        type_id: u32,
    },
}

impl Place {
    fn text(second: bool, type_id: u32) -> Self {
        Self::Text { second, type_id }
    }

    fn special(id: u32, type_id: u32) -> Self {
        Self::Special { ids: vec![id], type_id }
    }
}

/// A compiled post-processor.
#[derive(Clone, Debug, Default)]
pub struct Layouts {
    single: Option<Vec<Place>>,
    pair: Option<Vec<Place>>,
    trims: Vec<Trim>,
}

/// How a `ByteLevel` post-processor takes white space out of the offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Leave a single leading blank to the first token.
    pub add_prefix_space: bool,
}

impl Layouts {
    /// Resolves a post-processor. Fails where a template names a special token that it does not define, or where two
    /// templates would be applied to each other.
    pub fn new(post_processor: Option<&PostProcessor>) -> Result<Self> {
        let mut layouts = Self::default();
        if let Some(post_processor) = post_processor {
            layouts.add(post_processor)?;
        }
        Ok(layouts)
    }

    fn add(&mut self, post_processor: &PostProcessor) -> Result<()> {
        match post_processor {
            PostProcessor::ByteLevel { trim_offsets: false, .. } => {}
            PostProcessor::ByteLevel { add_prefix_space, .. } => {
                self.trims.push(Trim { add_prefix_space: *add_prefix_space });
            }
            PostProcessor::Template(template) => {
                self.lay_out(template.resolve(&template.single)?, template.resolve(&template.pair)?)?;
            }
            PostProcessor::Bert { sep: (_, sep), cls: (_, cls) } => {
                let first = [Place::special(*cls, 0), Place::text(false, 0), Place::special(*sep, 0)];
                let second = [Place::text(true, 1), Place::special(*sep, 1)];
                self.lay_out(first.to_vec(), [&first[..], &second].concat())?;
            }
            PostProcessor::Roberta { sep: (_, sep), cls: (_, cls), trim_offsets, add_prefix_space } => {
                if *trim_offsets {
                    self.trims.push(Trim { add_prefix_space: *add_prefix_space });
                }
                let first = [Place::special(*cls, 0), Place::text(false, 0), Place::special(*sep, 0)];
                let second = [Place::special(*sep, 0), Place::text(true, 0), Place::special(*sep, 0)];
                self.lay_out(first.to_vec(), [&first[..], &second].concat())?;
            }
            PostProcessor::Sequence(steps) => {
                for step in steps {
                    self.add(step)?;
                }
            }
        }
        Ok(())
    }

    fn lay_out(&mut self, single: Vec<Place>, pair: Vec<Place>) -> Result<()> {
        if self.single.is_some() {
            return Err(Error::unsupported(
                "post_processor",
                "two layouts of special tokens, one applied to the other",
            ));
        }
        let first = |place: &&Place| matches!(place, Place::Text { second: false, .. });
        let second = |place: &&Place| matches!(place, Place::Text { second: true, .. });
        if single.iter().filter(first).count() != 1 || single.iter().any(|place| second(&place)) {
            return Err(Error::unsupported("post_processor.single", "a layout that does not hold its text once"));
        }
        (self.single, self.pair) = (Some(single), Some(pair));
        Ok(())
    }

    /// What a row for one text (or a pair) consists of, special tokens included.
    pub fn places(&self, pair: bool) -> &[Place] {
        const SINGLE: &[Place] = &[Place::Text { second: false, type_id: 0 }];
        const PAIR: &[Place] = &[Place::Text { second: false, type_id: 0 }, Place::Text { second: true, type_id: 1 }];
        match (if pair { &self.pair } else { &self.single }, pair) {
            (Some(places), _) => places,
            (None, false) => SINGLE,
            (None, true) => PAIR,
        }
    }

    /// How many special ids a row has.
    pub fn added(&self, pair: bool) -> usize {
        let ids = |place: &Place| if let Place::Special { ids, .. } = place { ids.len() } else { 0 };
        self.places(pair).iter().map(ids).sum()
    }

    /// The trims to apply to offsets, in order.
    pub fn trims(&self) -> &[Trim] {
        &self.trims
    }

    /// The largest id that a template adds.
    pub fn largest_id(&self) -> Option<u32> {
        let places = self.single.iter().chain(&self.pair).flatten();
        let largest =
            |place: &Place| if let Place::Special { ids, .. } = place { ids.iter().max().copied() } else { None };
        places.filter_map(largest).max()
    }
}

impl Template {
    fn resolve(&self, pieces: &[TemplatePiece]) -> Result<Vec<Place>> {
        pieces
            .iter()
            .map(|piece| match piece {
                TemplatePiece::Sequence { second, type_id } => Ok(Place::text(*second, *type_id)),
                TemplatePiece::Special { name, type_id } => {
                    let special = self.special_tokens.iter().find(|special| special.name == *name);
                    let special = special.ok_or_else(|| {
                        Error::format("post_processor.special_tokens", format!("has no entry for {name:?}"))
                    })?;
                    Ok(Place::Special { ids: special.ids.clone(), type_id: *type_id })
                }
            })
            .collect()
    }
}

impl Trim {
    /// Offsets of a token that is written with `leading` and `trailing` white-space characters; `first` says whether
    /// it is the first of its sequence.
    pub fn apply(self, span: [i64; 2], leading: i64, trailing: i64, first: bool) -> [i64; 2] {
        let [mut begin, mut end] = span;
        if leading > 0 {
            let kept = self.add_prefix_space && leading == 1 && (first || begin == 0);
            begin = (begin + if kept { 0 } else { leading }).min(end);
        }
        if trailing > 0 && end >= trailing {
            end = (end - trailing).max(begin);
        }
        [begin, end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_parsed_as_they_are_written() {
        let id = |name: &str| match name {
            "[CLS]" => Some(1),
            "a:b" => Some(2),
            _ => None,
        };
        let template = Template::parse("[CLS] $A a:b", Some("[CLS]:3 $A $B:1"), id).unwrap();
        let special = |name: &str, type_id| TemplatePiece::Special { name: name.to_owned(), type_id };
        let sequence = |second, type_id| TemplatePiece::Sequence { second, type_id };
        assert_eq!(template.single, [special("[CLS]", 0), sequence(false, 0), special("a:b", 0)]);
        assert_eq!(template.pair, [special("[CLS]", 3), sequence(false, 0), sequence(true, 1)]);
        let ids: Vec<_> = template.special_tokens.iter().map(|token| (token.name.as_str(), &token.ids[..])).collect();
        assert_eq!(ids, [("[CLS]", &[1][..]), ("a:b", &[2][..])]);
        assert_eq!(Template::parse("$A", None, id).unwrap().pair, [sequence(false, 0), sequence(true, 1)]);
        assert!(Template::parse("[SEP] $A", None, id).is_err());
        assert!(Template::parse("$A $B", None, id).is_err());
    }
}
