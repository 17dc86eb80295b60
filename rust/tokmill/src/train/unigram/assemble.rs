//! The tokenizer that was trained, in the shape of one owner's files or the other's.

use crate::added_tokens::{AddedToken, Matching};
use crate::decode::{Decoder, SentencePieceDecoder};
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::Model;
use crate::model::unigram::{Rule, Unigram, UnigramOptions};
use crate::normalize::{
    Charsmap, Normalizer, PatternSource, Replacement, SearchPattern, SentencePiece, SentencePieceRules,
};
use crate::pieces::PieceKind;
use crate::pretokenize::{PrependScheme, Pretokenizer, Step};
use crate::template::PostProcessor;
use crate::tokenizer::{Parts, Tokenizer};

use super::TrainedUnigram;
use super::options::{Normalization, TextRules};
use super::rules::BLANK;

/// Whose files a trained tokenizer can be written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `tokenizer.json`: stages of tokenizers.
    #[default]
    Tokenizers,
    /// `.model`: sentencepiece.
    SentencePiece,
}

impl Layout {
    /// The layout of this name, "tokenizers" or "sentencepiece".
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "tokenizers" => Ok(Self::Tokenizers),
            "sentencepiece" => Ok(Self::SentencePiece),
            _ => Err(Error::option("layout", format!("{name:?} is neither \"tokenizers\" nor \"sentencepiece\""))),
        }
    }
}

impl Normalization {
    /// The map of characters that is this one in sentencepiece's files, which rewrites strings and knows no combining
    /// classes.
    fn charsmap(self) -> Option<Charsmap> {
        match self {
            Self::Identity => None,
            Self::Nfc => Some(Charsmap::nfc()),
            Self::Nfkc => Some(Charsmap::nfkc()),
            Self::NmtNfkc => Some(Charsmap::nmt_nfkc()),
        }
    }
}

impl TrainedUnigram {
    /// The tokenizer that was trained, given what was done to its texts.
    pub fn into_tokenizer(
        self,
        layout: Layout,
        rules: &TextRules,
        split_by_whitespace: bool,
        post_processor: Option<PostProcessor>,
    ) -> Result<Tokenizer> {
        match layout {
            Layout::Tokenizers => self.for_tokenizers(rules, split_by_whitespace, post_processor),
            Layout::SentencePiece if post_processor.is_some() => {
                Err(Error::unsupported("option template", "in the layout \"sentencepiece\""))
            }
            Layout::SentencePiece => self.for_sentencepiece(rules),
        }
    }

    fn model(&self, rule: Rule) -> Result<Model> {
        let options = UnigramOptions { unk_id: Some(0), byte_fallback: self.byte_fallback, rule, blanks: true };
        Unigram::new(&self.entries, options).map(Model::Unigram)
    }

    /// The added tokens of the kinds that `is_added` accepts.
    fn added_tokens(&self, is_added: impl Fn(PieceKind) -> bool) -> Vec<AddedToken> {
        let added = (0..).zip(&self.entries).filter(|(_, entry)| is_added(entry.kind));
        let token = |(id, entry): (u32, &crate::pieces::Piece)| AddedToken {
            special: entry.kind != PieceKind::UserDefined,
            ..AddedToken::special(entry.text.clone(), id)
        };
        added.map(token).collect()
    }

    fn for_tokenizers(
        self,
        rules: &TextRules,
        split_by_whitespace: bool,
        post_processor: Option<PostProcessor>,
    ) -> Result<Tokenizer> {
        let prepend_scheme = if rules.add_dummy_prefix { PrependScheme::Always } else { PrependScheme::Never };
        let mut steps = rules.normalization.steps();
        if rules.remove_extra_whitespaces {
            // With a blank before every text, one at its begin is the same as none.
            steps.push(Normalizer::Strip { left: !rules.add_dummy_prefix, right: true });
            steps.push(replace(PatternSource::Regex(" {2,}".to_owned()), " ")?);
        }
        let metaspace = Step::Metaspace { replacement: BLANK, prepend_scheme, split: split_by_whitespace };
        let mut decoders = vec![Decoder::Replace(replacement(PatternSource::Literal(BLANK.to_string()), " ")?)];
        if self.byte_fallback {
            decoders.push(Decoder::ByteFallback);
        }
        decoders.push(Decoder::Fuse);
        if rules.add_dummy_prefix {
            decoders.push(Decoder::Strip { content: ' ', start: 1, stop: 0 });
        }
        Tokenizer::new(Parts {
            normalizer: (!steps.is_empty()).then_some(Normalizer::Sequence(steps)),
            added_tokens: self
                .added_tokens(|kind| matches!(kind, PieceKind::Unknown | PieceKind::Control | PieceKind::UserDefined)),
            pretokenizer: Pretokenizer::new(vec![metaspace])?,
            model: self.model(Rule::Tokenizers)?,
            post_processor,
            decoder: Decoder::Sequence(decoders),
            lengths: Lengths::default(),
            matching: Matching::default(),
        })
    }

    fn for_sentencepiece(self, rules: &TextRules) -> Result<Tokenizer> {
        let symbols = self.entries.iter().filter(|entry| entry.kind == PieceKind::UserDefined);
        let normalizer = SentencePieceRules {
            charsmap: rules.normalization.charsmap(),
            add_dummy_prefix: rules.add_dummy_prefix,
            remove_extra_whitespaces: rules.remove_extra_whitespaces,
            escape_whitespaces: true,
            treat_whitespace_as_suffix: false,
            user_symbols: symbols.map(|entry| entry.text.clone()).collect(),
        };
        let decoder = SentencePieceDecoder {
            kinds: self.entries.iter().map(|entry| entry.kind).collect(),
            unk_surface: " \u{2047} ".to_owned(),
            add_dummy_prefix: rules.add_dummy_prefix,
            remove_extra_whitespaces: rules.remove_extra_whitespaces,
        };
        let model = self.model(Rule::SentencePiece)?;
        let blanks = model.vocab().spelling() == crate::vocab::Spelling::Metaspace;
        Tokenizer::new(Parts {
            normalizer: Some(Normalizer::SentencePiece(Box::new(SentencePiece::new(normalizer, blanks)))),
            added_tokens: self.added_tokens(|kind| matches!(kind, PieceKind::Unknown | PieceKind::Control)),
            pretokenizer: Pretokenizer::new(Vec::new())?,
            model,
            post_processor: None,
            decoder: Decoder::SentencePiece(Box::new(decoder)),
            lengths: Lengths::default(),
            matching: Matching::default(),
        })
    }
}

fn replacement(source: PatternSource, content: &str) -> Result<Replacement> {
    Ok(Replacement { pattern: SearchPattern::new(source)?, content: content.to_owned() })
}

fn replace(source: PatternSource, content: &str) -> Result<Normalizer> {
    replacement(source, content).map(Normalizer::Replace)
}
