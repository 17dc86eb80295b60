//! The messages of a SentencePiece model that say how it encodes (`sentencepiece_model.proto`).

use super::wire::{Fields, Message, Value};
use crate::error::{Error, Result};
use crate::pieces::{Piece, PieceKind};

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ModelProto {
    pub(super) pieces: Vec<Piece>,
    pub(super) trainer: TrainerSpec,
    pub(super) normalizer: NormalizerSpec,
    pub(super) denormalizer: Option<NormalizerSpec>,
    /// What the format has no field for, in JSON; only where there is something.
    pub(super) extension: Option<Vec<u8>>,
}

/// The format leaves the fields from here on to others; its own library passes over them.
const EXTENSION: u64 = 200;

/// The algorithm of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ModelType {
    #[default]
    Unigram,
    Bpe,
    Word,
    Char,
}

/// What a model remembers of its training that matters for encoding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TrainerSpec {
    pub(super) model_type: ModelType,
    pub(super) treat_whitespace_as_suffix: bool,
    pub(super) byte_fallback: bool,
    pub(super) unk_surface: String,
    /// The ids of the unknown, begin, end and padding pieces, and their names; -1 where there is none.
    pub(super) special: [(i32, String); 4],
}

impl Default for TrainerSpec {
    fn default() -> Self {
        let special = [(0, "<unk>"), (1, "<s>"), (2, "</s>"), (-1, "<pad>")];
        Self {
            model_type: ModelType::Unigram,
            treat_whitespace_as_suffix: false,
            byte_fallback: false,
            unk_surface: " \u{2047} ".to_owned(),
            special: special.map(|(id, name)| (id, name.to_owned())),
        }
    }
}

/// How text is normalised.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NormalizerSpec {
    pub(super) name: String,
    pub(super) precompiled_charsmap: Vec<u8>,
    pub(super) add_dummy_prefix: bool,
    pub(super) remove_extra_whitespaces: bool,
    pub(super) escape_whitespaces: bool,
}

impl Default for NormalizerSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            precompiled_charsmap: Vec::new(),
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
            escape_whitespaces: true,
        }
    }
}

const KINDS: [PieceKind; 6] = [
    PieceKind::Normal,
    PieceKind::Unknown,
    PieceKind::Control,
    PieceKind::UserDefined,
    PieceKind::Unused,
    PieceKind::Byte,
];

const TYPES: [ModelType; 4] = [ModelType::Unigram, ModelType::Bpe, ModelType::Word, ModelType::Char];

/// The fields of `TrainerSpec` with the names of special pieces, in the order of [`TrainerSpec::special`]; their ids
/// are the fields five before.
const SPECIAL: u64 = 45;

impl ModelProto {
    /// Reads a file.
    pub(super) fn read(file: &[u8]) -> Result<Self> {
        let mut proto = Self::default();
        for field in Fields::new(file) {
            match field? {
                (1, Value::Bytes(message)) => {
                    let piece = piece(file, message, proto.pieces.len())?;
                    proto.pieces.push(piece);
                }
                (2, Value::Bytes(message)) => proto.trainer.read(file, message)?,
                (3, Value::Bytes(message)) => proto.normalizer.read(file, message)?,
                (5, Value::Bytes(message)) => proto.denormalizer.get_or_insert_default().read(file, message)?,
                (EXTENSION, Value::Bytes(bytes)) => proto.extension = Some(bytes.to_vec()),
                _ => {}
            }
        }
        Ok(proto)
    }

    /// Writes a file.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut file = Message::default();
        for piece in &self.pieces {
            let mut message = Message::default();
            message.bytes(1, piece.text.as_bytes());
            message.float(2, piece.score as f32);
            if let Some(number) = KINDS.iter().position(|kind| *kind == piece.kind).filter(|&number| number > 0) {
                message.varint(3, number as u64 + 1);
            }
            file.bytes(1, &message.bytes);
        }
        file.bytes(2, &self.trainer.write(self.pieces.len()).bytes);
        file.bytes(3, &self.normalizer.write().bytes);
        if let Some(denormalizer) = &self.denormalizer {
            file.bytes(5, &denormalizer.write().bytes);
        }
        if let Some(extension) = &self.extension {
            file.bytes(EXTENSION, extension);
        }
        file.bytes
    }
}

fn piece(file: &[u8], message: &[u8], id: usize) -> Result<Piece> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: PieceKind::Normal };
    for field in Fields::inside(file, message) {
        match field? {
            (1, Value::Bytes(bytes)) => text(bytes, &mut piece.text, || format!("pieces[{id}].piece"))?,
            (2, Value::Fixed32(bits)) => piece.score = f32::from_bits(bits).into(),
            (3, Value::Varint(number)) => {
                let kind = KINDS.get((number as usize).wrapping_sub(1)).copied();
                piece.kind = kind.ok_or_else(|| {
                    Error::format(format!("pieces[{id}].type"), format!("{number} is no type of pieces"))
                })?;
            }
            _ => {}
        }
    }
    Ok(piece)
}

fn text(bytes: &[u8], target: &mut String, at: impl Fn() -> String) -> Result<()> {
    std::str::from_utf8(bytes).map_err(|_| Error::format(at(), "is not UTF-8"))?.clone_into(target);
    Ok(())
}

impl TrainerSpec {
    fn read(&mut self, file: &[u8], message: &[u8]) -> Result<()> {
        for field in Fields::inside(file, message) {
            match field? {
                (3, Value::Varint(number)) => {
                    let known = TYPES.get((number as usize).wrapping_sub(1)).copied();
                    self.model_type = known.ok_or_else(|| {
                        Error::unsupported("trainer_spec.model_type", format!("the model type {number}"))
                    })?;
                }
                (24, Value::Varint(flag)) => self.treat_whitespace_as_suffix = flag != 0,
                (35, Value::Varint(flag)) => self.byte_fallback = flag != 0,
                (field @ 40..=43, Value::Varint(id)) => self.special[field as usize - 40].0 = id as i32,
                (field @ SPECIAL..=48, Value::Bytes(bytes)) => {
                    let (_, name) = &mut self.special[(field - SPECIAL) as usize];
                    text(bytes, name, || format!("trainer_spec, field {field}"))?;
                }
                (44, Value::Bytes(bytes)) => {
                    text(bytes, &mut self.unk_surface, || "trainer_spec.unk_surface".to_owned())?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&self, vocab_size: usize) -> Message {
        let mut message = Message::default();
        let number = TYPES.iter().position(|known| *known == self.model_type).unwrap_or_default();
        message.varint(3, number as u64 + 1);
        message.varint(4, vocab_size as u64);
        message.varint(24, self.treat_whitespace_as_suffix.into());
        message.varint(35, self.byte_fallback.into());
        for (field, (id, _)) in (SPECIAL - 5..).zip(&self.special) {
            message.signed(field, *id);
        }
        message.bytes(44, self.unk_surface.as_bytes());
        for (field, (_, name)) in (SPECIAL..).zip(&self.special) {
            message.bytes(field, name.as_bytes());
        }
        message
    }
}

impl NormalizerSpec {
    fn read(&mut self, file: &[u8], message: &[u8]) -> Result<()> {
        for field in Fields::inside(file, message) {
            match field? {
                (1, Value::Bytes(bytes)) => text(bytes, &mut self.name, || "normalizer_spec.name".to_owned())?,
                (2, Value::Bytes(bytes)) => bytes.clone_into(&mut self.precompiled_charsmap),
                (3, Value::Varint(flag)) => self.add_dummy_prefix = flag != 0,
                (4, Value::Varint(flag)) => self.remove_extra_whitespaces = flag != 0,
                (5, Value::Varint(flag)) => self.escape_whitespaces = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&self) -> Message {
        let mut message = Message::default();
        message.bytes(1, self.name.as_bytes());
        message.bytes(2, &self.precompiled_charsmap);
        message.varint(3, self.add_dummy_prefix.into());
        message.varint(4, self.remove_extra_whitespaces.into());
        message.varint(5, self.escape_whitespaces.into());
        message
    }
}
