//! Normalizers, pretokenizers, post-processors and decoders of a tokenizer.json, and its settings for lengths.

use super::super::json::Node;
use crate::error::Result;
use crate::lengths::{StoredPadding, StoredTruncation, TruncationStrategy};
use crate::pretokenize::{PrependScheme, SplitBehavior, SplitPattern, Step};
use crate::ragged::Side;
use crate::template::{PostProcessor, Template, TemplatePiece, TemplateSpecial};

/// Reads a pretokenizer into steps; nested sequences are laid flat, which changes nothing.
pub(crate) fn steps(node: &Node<'_>) -> Result<Vec<Step>> {
    let step = match node.type_name()? {
        "Sequence" => return Ok(elements(node, "pretokenizers", steps)?.concat()),
        "ByteLevel" => {
            let (add_prefix_space, trim_offsets, use_regex) = byte_level_flags(node)?;
            Step::ByteLevel { add_prefix_space, trim_offsets, use_regex }
        }
        "Split" => Step::Split {
            pattern: split_pattern(&node.field("pattern")?)?,
            behavior: split_behavior(&node.field("behavior")?)?,
            invert: node.flag("invert")?,
        },
        "Metaspace" => {
            let (replacement, prepend_scheme, split) = metaspace(node)?;
            Step::Metaspace { replacement, prepend_scheme, split }
        }
        "Digits" => Step::Digits { individual_digits: node.flag("individual_digits")? },
        "Whitespace" => Step::Whitespace,
        "WhitespaceSplit" => Step::WhitespaceSplit,
        "Punctuation" => {
            let behavior = node.get("behavior").map_or(Ok(SplitBehavior::Isolated), |node| split_behavior(&node))?;
            Step::Punctuation { behavior }
        }
        "CharDelimiterSplit" => Step::CharDelimiterSplit { delimiter: character(&node.field("delimiter")?)? },
        "BertPreTokenizer" => Step::BertPreTokenizer,
        "UnicodeScripts" => Step::UnicodeScripts,
        "FixedLength" => {
            let length = node.get("length").map_or(Ok(5), |node| node.count())?;
            Step::FixedLength { length: length as usize }
        }
        other => return Err(node.unsupported(format!("the pretokenizer {other}"))),
    };
    Ok(vec![step])
}

/// The fields of a `Metaspace`, a pretokenizer or a decoder. Older files have `add_prefix_space`, which must not
/// contradict the scheme, and `str_rep`, which means nothing.
pub(super) fn metaspace(node: &Node<'_>) -> Result<(char, PrependScheme, bool)> {
    let prepend_scheme = node.get("prepend_scheme").map_or(Ok(PrependScheme::Always), |node| scheme(&node))?;
    if let Some(add) = node.get("add_prefix_space")
        && !add.boolean()?
        && prepend_scheme != PrependScheme::Never
    {
        return Err(add.wrong("true, or missing, where `prepend_scheme` is not `never`"));
    }
    Ok((character(&node.field("replacement")?)?, prepend_scheme, node.flag_or("split", true)?))
}

const SCHEMES: [(&str, PrependScheme); 3] =
    [("always", PrependScheme::Always), ("first", PrependScheme::First), ("never", PrependScheme::Never)];

pub(super) fn scheme(node: &Node<'_>) -> Result<PrependScheme> {
    let name = node.string()?;
    let known = SCHEMES.iter().find(|(other, _)| *other == name);
    known.map(|(_, scheme)| *scheme).ok_or_else(|| node.wrong("`always`, `first` or `never`"))
}

/// How a prepend scheme is written.
pub(crate) fn prepend_scheme_name(scheme: PrependScheme) -> &'static str {
    let known = SCHEMES.iter().find(|(_, other)| *other == scheme);
    known.expect("every scheme is in the table").0
}

pub(super) fn character(node: &Node<'_>) -> Result<char> {
    let mut chars = node.string()?.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(c),
        _ => Err(node.wrong("a string of one character")),
    }
}

fn split_pattern(node: &Node<'_>) -> Result<SplitPattern> {
    let mut fields = node.object()?.iter();
    match (fields.next(), fields.next()) {
        (Some((kind, _)), None) if kind == "String" => {
            Ok(SplitPattern::Literal(node.field("String")?.string()?.to_owned()))
        }
        (Some((kind, _)), None) if kind == "Regex" => {
            Ok(SplitPattern::Regex(node.field("Regex")?.string()?.to_owned()))
        }
        // Not of tokenizers: only for tokmill's own use, see `format::save`.
        (Some((kind, _)), None) if kind == "FancyRegex" => {
            Ok(SplitPattern::FancyRegex(node.field("FancyRegex")?.string()?.to_owned()))
        }
        _ => Err(node.wrong("an object with the one field `String` or `Regex`")),
    }
}

const BEHAVIORS: [(&str, SplitBehavior); 5] = [
    ("Removed", SplitBehavior::Removed),
    ("Isolated", SplitBehavior::Isolated),
    ("MergedWithPrevious", SplitBehavior::MergedWithPrevious),
    ("MergedWithNext", SplitBehavior::MergedWithNext),
    ("Contiguous", SplitBehavior::Contiguous),
];

fn split_behavior(node: &Node<'_>) -> Result<SplitBehavior> {
    let name = node.string()?;
    let known = BEHAVIORS.iter().find(|(other, _)| *other == name);
    known.map(|(_, behavior)| *behavior).ok_or_else(|| node.wrong("the name of a split behavior"))
}

/// How a split behavior is written.
pub(crate) fn behavior_name(behavior: SplitBehavior) -> &'static str {
    let known = BEHAVIORS.iter().find(|(_, other)| *other == behavior);
    known.expect("every behavior is in the table").0
}

/// Reads a post-processor; one without a type is told by its fields.
pub(crate) fn post_processor(node: &Node<'_>) -> Result<PostProcessor> {
    let signs = [("trim_offsets", "RobertaProcessing"), ("sep", "BertProcessing"), ("single", "TemplateProcessing")];
    match node.type_or_told_by(&signs)? {
        "ByteLevel" => {
            let (add_prefix_space, trim_offsets, use_regex) = byte_level_flags(node)?;
            Ok(PostProcessor::ByteLevel { add_prefix_space, trim_offsets, use_regex })
        }
        "TemplateProcessing" => Ok(PostProcessor::Template(template(node)?)),
        "BertProcessing" => Ok(PostProcessor::Bert { sep: token_pair(node, "sep")?, cls: token_pair(node, "cls")? }),
        "RobertaProcessing" => Ok(PostProcessor::Roberta {
            sep: token_pair(node, "sep")?,
            cls: token_pair(node, "cls")?,
            trim_offsets: node.flag("trim_offsets")?,
            add_prefix_space: node.flag("add_prefix_space")?,
        }),
        "Sequence" => Ok(PostProcessor::Sequence(elements(node, "processors", post_processor)?)),
        other => Err(node.unsupported(format!("the post-processor {other}"))),
    }
}

/// A token and its id, as a list of the two.
fn token_pair(node: &Node<'_>, key: &str) -> Result<(String, u32)> {
    let pair = node.field(key)?;
    match pair.items()?.collect::<Vec<_>>().as_slice() {
        [token, id] => Ok((token.string()?.to_owned(), id.id()?)),
        _ => Err(pair.wrong("a list of a token and its id")),
    }
}

fn template(node: &Node<'_>) -> Result<Template> {
    let mut special_tokens = Vec::new();
    let specials = node.field("special_tokens")?;
    for key in specials.object()?.keys() {
        let special = specials.field(key)?;
        special_tokens.push(TemplateSpecial {
            name: key.clone(),
            ids: list(&special.field("ids")?, Node::id)?,
            tokens: list(&special.field("tokens")?, |token| Ok(token.string()?.to_owned()))?,
        });
    }
    let layout = |key| list(&node.field(key)?, |piece| template_piece(piece, &special_tokens));
    Ok(Template { single: layout("single")?, pair: layout("pair")?, special_tokens })
}

fn template_piece(node: &Node<'_>, specials: &[TemplateSpecial]) -> Result<TemplatePiece> {
    let mut fields = node.object()?.keys();
    let (Some(kind), None) = (fields.next(), fields.next()) else {
        return Err(node.wrong("an object with the one field `Sequence` or `SpecialToken`"));
    };
    let piece = node.field(kind)?;
    let (id, type_id) = (piece.field("id")?, piece.field("type_id")?.id()?);
    match (kind.as_str(), id.string()?) {
        ("Sequence", "A") => Ok(TemplatePiece::Sequence { second: false, type_id }),
        ("Sequence", "B") => Ok(TemplatePiece::Sequence { second: true, type_id }),
        ("Sequence", _) => Err(id.wrong("`A` or `B`")),
        ("SpecialToken", name) if specials.iter().any(|special| special.name == name) => {
            Ok(TemplatePiece::Special { name: name.to_owned(), type_id })
        }
        ("SpecialToken", _) => Err(id.wrong("one of the template's `special_tokens`")),
        _ => Err(node.wrong("an object with the one field `Sequence` or `SpecialToken`")),
    }
}

/// `add_prefix_space`, `trim_offsets` and `use_regex`, of which the last may be missing in older files.
pub(super) fn byte_level_flags(node: &Node<'_>) -> Result<(bool, bool, bool)> {
    Ok((node.flag("add_prefix_space")?, node.flag("trim_offsets")?, node.flag_or("use_regex", true)?))
}

/// Reads the `truncation` of a file.
pub(crate) fn truncation(node: &Node<'_>) -> Result<StoredTruncation> {
    let strategy = node.field("strategy")?;
    Ok(StoredTruncation {
        direction: node.get("direction").map_or(Ok(Side::Right), |node| side(&node))?,
        max_length: node.field("max_length")?.count()?,
        strategy: match strategy.string()? {
            "LongestFirst" => TruncationStrategy::LongestFirst,
            "OnlyFirst" => TruncationStrategy::OnlyFirst,
            "OnlySecond" => TruncationStrategy::OnlySecond,
            _ => return Err(strategy.wrong("`LongestFirst`, `OnlyFirst` or `OnlySecond`")),
        },
        stride: node.field("stride")?.count()?,
    })
}

/// Reads the `padding` of a file.
pub(crate) fn padding(node: &Node<'_>) -> Result<StoredPadding> {
    let strategy = node.field("strategy")?;
    let length = match (strategy.get("Fixed"), strategy.string()) {
        (Some(length), _) => Some(length.count()?),
        (None, Ok("BatchLongest")) => None,
        _ => return Err(strategy.wrong("`BatchLongest` or an object with the field `Fixed`")),
    };
    Ok(StoredPadding {
        length,
        direction: side(&node.field("direction")?)?,
        pad_to_multiple_of: node.get("pad_to_multiple_of").map(|node| node.count()).transpose()?,
        pad_id: node.field("pad_id")?.id()?,
        pad_type_id: node.field("pad_type_id")?.id()?,
        pad_token: node.field("pad_token")?.string()?.to_owned(),
    })
}

fn side(node: &Node<'_>) -> Result<Side> {
    match node.string()? {
        "Left" => Ok(Side::Left),
        "Right" => Ok(Side::Right),
        _ => Err(node.wrong("`Left` or `Right`")),
    }
}

/// The elements of a sequence component.
pub(super) fn elements<T>(node: &Node<'_>, key: &str, read: fn(&Node<'_>) -> Result<T>) -> Result<Vec<T>> {
    list(&node.field(key)?, read)
}

fn list<'v, T>(node: &Node<'v>, read: impl Fn(&Node<'v>) -> Result<T>) -> Result<Vec<T>> {
    node.items()?.map(|item| read(&item)).collect()
}
