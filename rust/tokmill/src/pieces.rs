//! Pieces with scores: what vocabularies of SentencePiece's kinds are lists of.

/// What a piece is for; the types of sentencepiece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PieceKind {
    /// Found in text.
    #[default]
    Normal,
    /// Stands for what is not found.
    Unknown,
    /// Never found in text.
    Control,
    /// Always found in text, whatever else would be better.
    UserDefined,
    /// A byte of a character that is not found.
    Byte,
    /// Not found in text.
    Unused,
}

/// A piece of a vocabulary; its id is its place in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// How it is spelled.
    pub text: String,
    /// Its score; a log-probability where it comes from a Unigram trainer.
    pub score: f64,
    /// What it is for.
    pub kind: PieceKind,
}

impl Piece {
    /// A piece that is found in text.
    pub fn normal(text: impl Into<String>, score: f64) -> Self {
        Self { text: text.into(), score, kind: PieceKind::Normal }
    }

    /// The byte that a piece such as `<0xE4>` stands for.
    pub fn byte(&self) -> Option<u8> {
        let digits = self.text.strip_prefix("<0x")?.strip_suffix('>')?;
        let is_digit = |c: char| matches!(c, '0'..='9' | 'A'..='F');
        if digits.len() == 2 && digits.chars().all(is_digit) { u8::from_str_radix(digits, 16).ok() } else { None }
    }
}
