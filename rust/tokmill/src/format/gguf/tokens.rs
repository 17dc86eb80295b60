//! The tokens of a GGUF file that are found in text before the model sees it.
//!
//! Types say which: control and unknown tokens are special, those that a user defined are always found. llama.cpp
//! mends the types of some tokens that it knows by their spelling, and lets some take the white space beside them.
//! Reference: `llama_vocab::impl::load` in llama.cpp's `llama-vocab.cpp`.

use hashbrown::HashMap;

use super::metadata::Metadata;
use crate::added_tokens::AddedToken;
use crate::error::{Error, Result};
use crate::pieces::{Piece, PieceKind};

/// Tokens that end a generation, whatever their type says.
const ENDS: [&str; 22] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<\u{ff5c}end\u{2581}of\u{2581}sentence\u{ff5c}>",
    "[e~[",
];

/// Tokens for filling in the middle: the keys that name one, and the spellings by which it is found where none does.
#[rustfmt::skip]
const FILLING: [(&[&str], &[&str]); 6] = [
    (&["fim_pre_token_id", "prefix_token_id"], &[
        "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<\u{ff5c}fim\u{2581}begin\u{ff5c}>", "<PRE>",
        "\u{2581}<PRE>", "<|code_prefix|>", "<|prefix|>",
    ]),
    (&["fim_suf_token_id", "suffix_token_id"], &[
        "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<\u{ff5c}fim\u{2581}hole\u{ff5c}>", "<SUF>",
        "\u{2581}<SUF>", "<|code_suffix|>", "<|suffix|>",
    ]),
    (&["fim_mid_token_id", "middle_token_id"], &[
        "<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<\u{ff5c}fim\u{2581}end\u{ff5c}>", "<MID>",
        "\u{2581}<MID>", "<|code_middle|>", "<|middle|>",
    ]),
    (&["fim_pad_token_id"], &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]),
    (&["fim_rep_token_id"], &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"]),
    (&["fim_sep_token_id"], &["<|file_sep|>"]),
];

/// Tokens that are always found and shown.
const SHOWN: [&str; 4] = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/// The added tokens of a file, in order of id.
pub(super) fn added_tokens(metadata: &Metadata<'_>, pieces: &[Piece]) -> Result<Vec<AddedToken>> {
    let places = (0..).zip(pieces).map(|(id, piece): (u32, _)| (piece.text.as_str(), id)).collect();
    let kinds = mended_kinds(metadata, pieces, &places)?;
    let added = |((id, piece), kind): ((u32, &Piece), PieceKind)| match kind {
        PieceKind::Control | PieceKind::Unknown => Some(AddedToken::special(piece.text.clone(), id)),
        PieceKind::UserDefined => {
            Some(AddedToken { special: false, normalized: false, ..AddedToken::special(piece.text.clone(), id) })
        }
        PieceKind::Normal | PieceKind::Byte | PieceKind::Unused => None,
    };
    let mut tokens: Vec<AddedToken> = (0..).zip(pieces).zip(kinds).filter_map(added).collect();
    strip(metadata, &mut tokens)?;
    Ok(tokens)
}

/// The types of the tokens as llama.cpp mends them.
fn mended_kinds(metadata: &Metadata<'_>, pieces: &[Piece], places: &HashMap<&str, u32>) -> Result<Vec<PieceKind>> {
    let mut kinds: Vec<PieceKind> = pieces.iter().map(|piece| piece.kind).collect();
    let has = |text: &str| places.contains_key(text);
    let mut set = |text: &str, kind: PieceKind| {
        if let Some(&id) = places.get(text) {
            kinds[id as usize] = kind;
        }
    };
    for (keys, texts) in FILLING {
        let mut named = false;
        for key in keys {
            named |= metadata.id(key)?.is_some_and(|id| (id as usize) < pieces.len());
        }
        let found: Vec<&str> = texts.iter().copied().filter(|text| has(text)).collect();
        let is_normal = |text: &&str| pieces[places[*text] as usize].kind != PieceKind::Control;
        match (named, found.as_slice()) {
            (true, _) | (_, []) => {}
            (_, [one]) => set(one, PieceKind::Control),
            (_, several) => {
                // Which of them comes first there depends on a hash.
                if several.iter().any(is_normal) {
                    let what = format!("the tokens {several:?}, of which llama.cpp makes any one special");
                    return Err(Error::unsupported("tokenizer.ggml.token_type", what));
                }
            }
        }
    }
    for text in ENDS {
        set(text, PieceKind::Control);
    }
    for text in SHOWN {
        set(text, PieceKind::UserDefined);
    }
    if has("<|end|>") && (has("<|call|>") || has("<|calls|>")) && (has("<|return|>") || has("<|flush|>")) {
        set("<|end|>", PieceKind::UserDefined);
    }
    let end = metadata.id("eos_token_id")?.and_then(|id| pieces.get(id as usize));
    if has("<|tool_response>") || end.is_some_and(|piece| piece.text == "<|plamo:eos|>") {
        set("</s>", PieceKind::Normal);
    }
    Ok(kinds)
}

/// Lets tokens take white space along: files do not say it, so llama.cpp goes by the names of models.
fn strip(metadata: &Metadata<'_>, tokens: &mut [AddedToken]) -> Result<()> {
    let name = metadata.general("name").unwrap_or_default().to_ascii_lowercase();
    let architecture = metadata.general("architecture").unwrap_or_default();
    let pre = metadata.string("pre")?.unwrap_or_default();
    let contains = |text: &str, parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let (left, right): (&[&str], bool) = if contains(pre, &["jina-v2-de", "jina-v2-es", "jina-v2-code"])
        || contains(architecture, &["nomic-bert-moe", "jina-bert-v3"])
    {
        (&["<mask>"], false)
    } else if contains(&name, &["phi-3", "phi3"]) {
        (&[], true)
    } else if contains(&name, &["modern-bert"]) {
        (&["[MASK]"], false)
    } else {
        (&[], false)
    };
    for token in tokens {
        token.lstrip = left.contains(&token.content.as_str());
        token.rstrip = right && !["<unk>", "<s>", "<|endoftext|>"].contains(&token.content.as_str());
    }
    Ok(())
}
