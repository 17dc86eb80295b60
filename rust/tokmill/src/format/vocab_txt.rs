//! `vocab.txt`, a WordPiece vocabulary as BERT has it: an entry a line, its id the number of the line.
//!
//! It holds nothing else. The pipeline is BERT's; whether text is put into lower case has to be said, by a
//! `tokenizer_config.json` beside it or by the caller.

use serde_json::Value;

use super::LoadOptions;
use super::json::{self, Node};
use super::spelled::SpelledVocab;
use super::tokenizer_json::VocabEntries;
use super::vocab_merges::{added_tokens, token};
use crate::added_tokens::{AddedToken, Matching};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::{Model, WordPiece, WordPieceOptions};
use crate::normalize::{BertOptions, Normalizer};
use crate::pretokenize::{Pretokenizer, Step};
use crate::template::{PostProcessor, Template};
use crate::tokenizer::Parts;
use crate::vocab::Spelling;

/// Tokenizer classes of transformers that are BERT's under another name.
const CLASSES: [&str; 9] =
    ["Bert", "DistilBert", "Electra", "MobileBert", "SqueezeBert", "ConvBert", "LayoutLM", "Lxmert", "Retribert"];

/// Reads the parts of a tokenizer from a vocab.txt, and the settings where there are any.
pub(super) fn parts(vocab: &str, config: Option<&str>, options: &LoadOptions) -> Result<Parts> {
    if options.pattern.is_some() {
        return Err(Error::option("pattern", "a vocab.txt goes with BERT's way of cutting"));
    }
    let config = match config {
        Some(config) => serde_json::from_str(config).map_err(|error| json::syntax_error(&error))?,
        None => Value::Null,
    };
    let config = Node::new(&config, "tokenizer_config");
    check_class(&config)?;
    let mut entries = VocabEntries::default();
    for (id, line) in (0..).zip(vocab.lines()) {
        entries.push(line.trim_end(), id);
    }
    let spelled = SpelledVocab::new(&entries, Spelling::Plain, "vocab.txt")?;
    let role = |key: &str, default: &str| match config.get(key) {
        Some(node) => Ok(token(&node, 0)?.content),
        None => Ok::<_, Error>(default.to_owned()),
    };
    let unk_token = role("unk_token", "[UNK]")?;
    let (cls, sep) = (role("cls_token", "[CLS]")?, role("sep_token", "[SEP]")?);
    let mut added = added_tokens(&config, &spelled, options)?;
    if config.get("added_tokens_decoder").is_none() {
        add_roles(&spelled, &mut added);
    }
    let layout = |second: &str| format!("{cls} $A {sep}{second}");
    let pair = layout(&format!(" $B:1 {sep}:1"));
    let template = match (spelled.id(&cls), spelled.id(&sep)) {
        (Some(_), Some(_)) => Some(Template::parse(&layout(""), Some(&pair), |name| spelled.id(name))?),
        _ => None,
    };
    let lowercase = match (options.lowercase, config.get("do_lower_case")) {
        (Some(lowercase), _) => lowercase,
        (None, Some(node)) => node.boolean()?,
        (None, None) => {
            let why = "must be given for a vocab.txt, which does not say whether its words are in lower case";
            return Err(Error::option("lowercase", why));
        }
    };
    let normalizer = BertOptions {
        clean_text: true,
        handle_chinese_chars: config.flag_or("tokenize_chinese_chars", true)?,
        strip_accents: config.get("strip_accents").map(|node| node.boolean()).transpose()?,
        lowercase,
    };
    let model = WordPieceOptions { unk_token, ..WordPieceOptions::default() };
    Ok(Parts {
        normalizer: Some(Normalizer::Bert(normalizer)),
        added_tokens: added,
        pretokenizer: Pretokenizer::new(vec![Step::BertPreTokenizer])?,
        model: Model::WordPiece(WordPiece::new(spelled.into_vocab(), model)?),
        post_processor: template.map(PostProcessor::Template),
        decoder: Decoder::WordPiece { prefix: "##".to_owned(), cleanup: true },
        lengths: Lengths::default(),
        matching: Matching::default(),
    })
}

/// Refuses settings of tokenizers that cut otherwise.
fn check_class(config: &Node<'_>) -> Result<()> {
    if let Some(basic) = config.get("do_basic_tokenize")
        && !basic.boolean()?
    {
        return Err(Error::unsupported(basic.path(), "a vocab.txt for text that is cut before"));
    }
    let Some(class) = config.get("tokenizer_class") else { return Ok(()) };
    let name = class.string()?;
    let family = name.strip_suffix("Fast").unwrap_or(name).strip_suffix("Tokenizer").unwrap_or(name);
    if CLASSES.contains(&family) {
        return Ok(());
    }
    Err(Error::unsupported(class.path(), format!("{name} with a vocab.txt")))
}

/// Adds BERT's special tokens as far as the vocabulary has them.
fn add_roles(spelled: &SpelledVocab, added: &mut Vec<AddedToken>) {
    for name in ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"] {
        if let Some(id) = spelled.id(name)
            && !added.iter().any(|token| token.id == id)
        {
            added.push(AddedToken::special(name, id));
        }
    }
    added.sort_by_key(|token| token.id);
}
