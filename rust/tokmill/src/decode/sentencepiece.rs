//! How sentencepiece turns pieces into text.
//!
//! Control pieces are nothing, the unknown piece is a surface that stands for it, runs of bytes are UTF-8 with U+FFFD
//! for each byte that is none, and `▁` is a blank, which is dropped where a text was given one. Reference:
//! `SentencePieceProcessor::Decode` of sentencepiece 0.2.3.

use crate::pieces::PieceKind;

/// What decoding has to know of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentencePieceDecoder {
    /// What each id is for.
    pub kinds: Vec<PieceKind>,
    /// What unknown pieces become.
    pub unk_surface: String,
    /// Texts were given a blank at the begin, which the first piece loses.
    pub add_dummy_prefix: bool,
    /// Blanks at the begin were dropped, and all pieces before the first text lose theirs.
    pub remove_extra_whitespaces: bool,
}

/// What an id becomes.
#[derive(Debug)]
pub(super) enum Token {
    /// Nothing; there may be no such id.
    Nothing,
    Byte(u8),
    /// A text that is written as it is.
    Surface(Box<str>),
    /// A text with blanks for `▁`, and whether the first of them can be lost.
    Text(Box<str>, bool),
}

impl SentencePieceDecoder {
    /// What an id becomes that is spelled so.
    pub(super) fn token(&self, id: u32, spelled: &str) -> Token {
        match self.kinds.get(id as usize) {
            Some(PieceKind::Control) => Token::Nothing,
            Some(PieceKind::Unknown) => Token::Surface(self.unk_surface.as_str().into()),
            Some(PieceKind::Byte) => super::chain::byte_of(spelled).map_or(Token::Nothing, Token::Byte),
            _ => Token::Text(spelled.replace('\u{2581}', " ").into(), spelled.starts_with('\u{2581}')),
        }
    }

    /// The text of tokens in order.
    pub(super) fn text<'t>(&self, tokens: impl Iterator<Item = &'t Token>) -> String {
        let loses_blank = self.add_dummy_prefix || self.remove_extra_whitespaces;
        let mut text = String::new();
        let mut bytes = Vec::new();
        let mut at_begin = true;
        for token in tokens {
            if let Token::Byte(byte) = token {
                bytes.push(*byte);
                continue;
            }
            push_bytes(&mut bytes, &mut text);
            at_begin &= text.is_empty();
            match token {
                Token::Nothing | Token::Byte(_) => {}
                Token::Surface(surface) => text.push_str(surface),
                Token::Text(piece, true) if at_begin && loses_blank => {
                    text.push_str(&piece[1..]);
                    at_begin &= self.remove_extra_whitespaces;
                }
                Token::Text(piece, _) => text.push_str(piece),
            }
            at_begin &= text.is_empty();
        }
        push_bytes(&mut bytes, &mut text);
        text
    }
}

/// Appends bytes and clears them: characters as they are, U+FFFD for each byte that is part of none.
fn push_bytes(bytes: &mut Vec<u8>, text: &mut String) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    bytes.clear();
}
