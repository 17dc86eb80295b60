//! Decoders of a tokenizer.json.

use serde_json::{Value, json};

use super::super::json::Node;
use super::components::{byte_level_flags, character, elements, metaspace};
use super::normalizers::{replacement, write_replacement};
use super::write::{byte_level, metaspace as write_metaspace};
use crate::decode::Decoder;
use crate::error::Result;
use crate::vocab::Spelling;

/// Reads a decoder.
pub(super) fn read(node: &Node<'_>) -> Result<Decoder> {
    let string = |key: &str| Ok::<_, crate::error::Error>(node.field(key)?.string()?.to_owned());
    let count = |key: &str| Ok::<_, crate::error::Error>(node.field(key)?.count()? as usize);
    let signs = [
        ("suffix", "BPEDecoder"),
        ("prefix", "WordPiece"),
        ("pad_token", "CTC"),
        ("pattern", "Replace"),
        ("start", "Strip"),
    ];
    Ok(match node.type_or_told_by(&signs)? {
        "ByteLevel" => {
            let (add_prefix_space, trim_offsets, use_regex) = byte_level_flags(node)?;
            Decoder::ByteLevel { add_prefix_space, trim_offsets, use_regex }
        }
        "Replace" => Decoder::Replace(replacement(node)?),
        "ByteFallback" => Decoder::ByteFallback,
        "Fuse" => Decoder::Fuse,
        "Strip" => Decoder::Strip {
            content: character(&node.field("content")?)?,
            start: count("start")?,
            stop: count("stop")?,
        },
        "Metaspace" => {
            let (replacement, prepend_scheme, split) = metaspace(node)?;
            Decoder::Metaspace { replacement, prepend_scheme, split }
        }
        "WordPiece" => Decoder::WordPiece { prefix: string("prefix")?, cleanup: node.flag("cleanup")? },
        "BPEDecoder" => Decoder::Bpe { suffix: string("suffix")? },
        "CTC" => Decoder::Ctc {
            pad_token: string("pad_token")?,
            word_delimiter_token: string("word_delimiter_token")?,
            cleanup: node.flag("cleanup")?,
        },
        "Sequence" => Decoder::Sequence(elements(node, "decoders", read)?),
        other => return Err(node.unsupported(format!("the decoder {other}"))),
    })
}

/// Writes the decoder of a file; a Latin-1 file has none, which is how it is known.
pub(super) fn write(decoder: &Decoder, spelling: Spelling) -> Option<Value> {
    let value = match decoder {
        Decoder::Joined | Decoder::SentencePiece(_) => return None,
        Decoder::ByteLevel { .. } if spelling == Spelling::Latin1 => return None,
        Decoder::ByteLevel { add_prefix_space, trim_offsets, use_regex } => {
            byte_level(*add_prefix_space, *trim_offsets, *use_regex)
        }
        Decoder::Replace(replacement) => write_replacement(replacement),
        Decoder::ByteFallback => json!({ "type": "ByteFallback" }),
        Decoder::Fuse => json!({ "type": "Fuse" }),
        Decoder::Strip { content, start, stop } => {
            json!({ "type": "Strip", "content": content, "start": start, "stop": stop })
        }
        Decoder::Metaspace { replacement, prepend_scheme, split } => {
            write_metaspace(*replacement, *prepend_scheme, *split)
        }
        Decoder::WordPiece { prefix, cleanup } => json!({ "type": "WordPiece", "prefix": prefix, "cleanup": cleanup }),
        Decoder::Bpe { suffix } => json!({ "type": "BPEDecoder", "suffix": suffix }),
        Decoder::Ctc { pad_token, word_delimiter_token, cleanup } => json!({
            "type": "CTC",
            "pad_token": pad_token,
            "word_delimiter_token": word_delimiter_token,
            "cleanup": cleanup,
        }),
        Decoder::Sequence(steps) => {
            let steps: Vec<_> = steps.iter().filter_map(|step| write(step, spelling)).collect();
            json!({ "type": "Sequence", "decoders": steps })
        }
    };
    Some(value)
}
