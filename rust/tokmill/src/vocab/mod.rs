//! The vocabulary: ids to the byte strings a model sees, and back.
//!
//! The key of an entry is what the model matches after normalisation. In byte-level files that is raw bytes: the
//! printable alphabet of GPT-2 is undone by the reader and redone by the writer ([`Spelling`]). A few entries of such
//! files (added tokens with a blank or a Chinese character in them) cannot be written in that alphabet; they keep
//! their spelling, and no bytes of a text ever lead to them through the model.

mod index;

use std::ops::Range;

use crate::error::{Error, Result};
use crate::memory;
use index::KeyIndex;

/// How the entries of a vocabulary are written in the owner's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// Bytes through the printable alphabet of GPT-2 (`Ġ` for the blank).
    #[default]
    ByteLevel,
    /// One code point of U+0000..U+00FF a byte.
    Latin1,
    /// The entry itself, as UTF-8.
    Plain,
    /// The entry itself, as UTF-8, with [`BLANK`] for the blank. A blank itself cannot be expressed: all blanks of a
    /// text are rewritten before such a model sees it.
    Metaspace,
}

/// U+2581, which stands for the blank in SentencePiece's vocabularies.
pub const BLANK: &[u8] = "\u{2581}".as_bytes();

/// Entries of a vocabulary, addressed by id and by bytes. Ids may have gaps.
#[derive(Clone, Debug, Default)]
pub struct Vocab {
    /// All keys end to end.
    arena: Vec<u8>,
    /// `spans[id]` is where the key of `id` lies in the arena; `None` for an id that no entry has.
    spans: Vec<Option<(u32, u32)>>,
    /// Ids by the hash of their key; entries with an inexpressible spelling are not in it.
    by_key: KeyIndex,
    spelling: Spelling,
    /// Spellings that the alphabet cannot express, in order of id.
    inexpressible: Vec<(u32, String)>,
    entries: usize,
}

/// Ids stay below this: far above any vocabulary in use, and low enough for packed tables.
pub const MAX_VOCAB: usize = 1 << 24;

/// Entries are no longer than this, in bytes; the longest in use have a few hundred.
pub const MAX_ENTRY: usize = 1 << 16;

impl Vocab {
    /// An empty vocabulary whose entries are written as `spelling` says.
    pub fn new(spelling: Spelling) -> Self {
        Self { spelling, ..Self::default() }
    }

    /// An empty vocabulary with room for so many entries.
    pub fn with_capacity(spelling: Spelling, entries: usize) -> Self {
        let by_key = KeyIndex::with_capacity(entries);
        Self { spelling, spans: Vec::with_capacity(entries), by_key, ..Self::default() }
    }

    /// Adds an entry by its key. Fails if the id or the key is taken, or the id is beyond [`MAX_VOCAB`].
    pub fn insert(&mut self, id: u32, key: &[u8]) -> Result<()> {
        let hash = hash(key);
        if let Some(other) = self.find(hash, key) {
            return Err(Error::format(format!("vocabulary id {id}"), format!("has the same entry as id {other}")));
        }
        self.place(id, key)?;
        let Self { arena, spans, by_key, .. } = self;
        by_key.insert(hash, id, |id| self::hash(key_of(arena, spans, id)));
        Ok(())
    }

    /// Adds entries by their keys, which are ranges of `text`; an error says which of them failed. Faster than one after
    /// the other, since memory is waited for once for all.
    pub fn insert_together(&mut self, text: &[u8], entries: &[(u32, Range<usize>)]) -> Result<(), (usize, Error)> {
        for (_, key) in entries {
            self.by_key.prefetch(hash(&text[key.clone()]));
        }
        let mut entries = entries.iter().enumerate();
        entries.try_for_each(|(index, (id, key))| self.insert(*id, &text[key.clone()]).map_err(|error| (index, error)))
    }

    /// Adds an entry by its spelling in the owner's file; one that the alphabet cannot express is kept apart.
    pub fn insert_spelled(&mut self, id: u32, spelled: &str) -> Result<()> {
        if let Some(key) = self.spelling.to_bytes(spelled) {
            return self.insert(id, &key);
        }
        self.insert_shadowed(id, spelled)
    }

    /// Adds an entry that has the spelling of another one and is only known by its id.
    pub fn insert_shadowed(&mut self, id: u32, spelled: &str) -> Result<()> {
        self.place(id, spelled.as_bytes())?;
        let at = self.inexpressible.partition_point(|(other, _)| *other < id);
        self.inexpressible.insert(at, (id, spelled.to_owned()));
        Ok(())
    }

    fn place(&mut self, id: u32, key: &[u8]) -> Result<()> {
        let index = id as usize;
        if index >= MAX_VOCAB {
            return Err(Error::format(format!("vocabulary id {id}"), format!("ids must be below {MAX_VOCAB}")));
        }
        if key.len() > MAX_ENTRY {
            let why = format!("the entry has {} bytes, more than {MAX_ENTRY}", key.len());
            return Err(Error::format(format!("vocabulary id {id}"), why));
        }
        if index >= self.spans.len() {
            self.spans.resize(index + 1, None);
        } else if self.spans[index].is_some() {
            return Err(Error::format(format!("vocabulary id {id}"), "is given to two entries"));
        }
        let begin = u32::try_from(self.arena.len())
            .map_err(|_| Error::format(format!("vocabulary id {id}"), "the entries are longer than 4 GiB together"))?;
        self.arena.extend_from_slice(key);
        self.spans[index] = Some((begin, key.len() as u32));
        self.entries += 1;
        Ok(())
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.by_key.candidates(hash).find(|&id| key_of(&self.arena, &self.spans, id) == key)
    }

    /// The id of an entry, by its key.
    pub fn id(&self, key: &[u8]) -> Option<u32> {
        self.find(hash(key), key)
    }

    /// Appends the ids of several entries, by their keys, which are ranges of `text`. Faster than one after the other,
    /// since memory is waited for once for all.
    pub fn ids(&self, text: &[u8], keys: &[Range<usize>], ids: &mut Vec<Option<u32>>) {
        let hashes: Vec<u64> = keys.iter().map(|key| hash(&text[key.clone()])).collect();
        let likely = || hashes.iter().filter_map(|&hash| self.by_key.candidates(hash).next());
        for &hash in &hashes {
            self.by_key.prefetch(hash);
        }
        likely().for_each(|id| memory::prefetch(&self.spans[id as usize]));
        for (begin, _) in likely().filter_map(|id| self.spans[id as usize]) {
            if let Some(byte) = self.arena.get(begin as usize) {
                memory::prefetch(byte);
            }
        }
        ids.extend(hashes.iter().zip(keys).map(|(&hash, key)| self.find(hash, &text[key.clone()])));
    }

    /// The id of an entry, by its spelling in the owner's file.
    pub fn id_spelled(&self, spelled: &str) -> Option<u32> {
        match self.spelling.to_bytes(spelled) {
            Some(key) => self.id(&key),
            None => self.inexpressible.iter().find(|(_, other)| other == spelled).map(|(id, _)| *id),
        }
    }

    /// The key of an id.
    pub fn key(&self, id: u32) -> Option<&[u8]> {
        let (begin, len) = (*self.spans.get(id as usize)?)?;
        Some(&self.arena[begin as usize..(begin + len) as usize])
    }

    /// The spelling of an id in the owner's file.
    pub fn spelled(&self, id: u32) -> Option<String> {
        let key = self.key(id)?;
        match self.inexpressible.binary_search_by_key(&id, |(other, _)| *other) {
            Ok(at) => Some(self.inexpressible[at].1.clone()),
            Err(_) => Some(self.spelling.to_string(key)),
        }
    }

    /// Whether the spelling of `id` is one that the alphabet cannot express.
    pub fn is_inexpressible(&self, id: u32) -> bool {
        self.inexpressible.binary_search_by_key(&id, |(other, _)| *other).is_ok()
    }

    /// One more than the largest id.
    pub fn size(&self) -> usize {
        self.spans.len()
    }

    /// Number of entries; less than [`Self::size`] when ids have gaps.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Ids and keys in order of id, gaps left out.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..self.spans.len() as u32).filter_map(|id| Some((id, self.key(id)?)))
    }

    /// How the entries are written in the owner's files.
    pub fn spelling(&self) -> Spelling {
        self.spelling
    }
}

fn key_of<'a>(arena: &'a [u8], spans: &[Option<(u32, u32)>], id: u32) -> &'a [u8] {
    let (begin, len) = spans[id as usize].expect("ids in the index have an entry");
    &arena[begin as usize..(begin + len) as usize]
}

/// A fixed-seed multiply-and-fold hash: iteration order never depends on it, and a load must be repeatable.
fn hash(key: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = fold(key.len() as u64 ^ MULTIPLIER, 0xD6E8_FEB8_6659_FD93);
    let mut chunks = key.chunks_exact(8);
    for chunk in &mut chunks {
        state = fold(state ^ u64::from_le_bytes(chunk.try_into().expect("eight bytes")), MULTIPLIER);
    }
    let mut tail = [0; 8];
    tail[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold(state ^ u64::from_le_bytes(tail), MULTIPLIER)
}

impl Spelling {
    /// The key that `spelled` stands for, or `None` where it has characters outside the alphabet.
    pub fn to_bytes(self, spelled: &str) -> Option<Vec<u8>> {
        let mut key = Vec::with_capacity(spelled.len());
        self.append_bytes(spelled, &mut key).then_some(key)
    }

    /// Appends the key that `spelled` stands for. `false` where it has characters outside the alphabet, and then a
    /// part of it may have been appended.
    pub fn append_bytes(self, spelled: &str, key: &mut Vec<u8>) -> bool {
        let byte: fn(char) -> Option<u8> = match self {
            Self::Plain => {
                key.extend_from_slice(spelled.as_bytes());
                return true;
            }
            Self::Metaspace => {
                let bytes = spelled.as_bytes();
                let mut at = 0;
                while let Some(&byte) = bytes.get(at) {
                    match byte {
                        b' ' => return false,
                        0xE2 if bytes[at..].starts_with(BLANK) => {
                            key.push(b' ');
                            at += BLANK.len();
                        }
                        _ => {
                            key.push(byte);
                            at += 1;
                        }
                    }
                }
                return true;
            }
            Self::Latin1 => |c| u8::try_from(u32::from(c)).ok(),
            Self::ByteLevel => byte_level_byte,
        };
        for c in spelled.chars() {
            match byte(c) {
                Some(byte) => key.push(byte),
                None => return false,
            }
        }
        true
    }

    /// The spelling of a key; under [`Spelling::Plain`] and [`Spelling::Metaspace`] invalid UTF-8 is
    /// replaced.
    pub fn to_string(self, key: &[u8]) -> String {
        match self {
            Self::Plain => String::from_utf8_lossy(key).into_owned(),
            Self::Metaspace => String::from_utf8_lossy(key).replace(' ', "\u{2581}"),
            Self::Latin1 => key.iter().map(|&byte| char::from(byte)).collect(),
            Self::ByteLevel => key.iter().map(|&byte| byte_level_char(byte)).collect(),
        }
    }
}

/// The printable character that stands for a byte in byte-level files.
///
/// Printable Latin-1 bytes stand for themselves; the other 68, in order, for U+0100, U+0101, and so on. Source: the
/// `bytes_to_unicode` table of OpenAI's GPT-2.
pub fn byte_level_char(byte: u8) -> char {
    BYTE_LEVEL[byte as usize]
}

/// The byte that a character stands for in byte-level files.
pub fn byte_level_byte(c: char) -> Option<u8> {
    let code = u32::from(c);
    match u8::try_from(code) {
        Ok(byte) => stands_for_itself(byte).then_some(byte),
        Err(_) => BYTE_LEVEL_SHIFTED.get((code - 0x100) as usize).copied(),
    }
}

const fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

const BYTE_LEVEL: [char; 256] = {
    let mut table = ['\0'; 256];
    let (mut byte, mut shifted) = (0, 0);
    while byte < 256 {
        table[byte] = if stands_for_itself(byte as u8) {
            byte as u8 as char
        } else {
            shifted += 1;
            char::from_u32(0xFF + shifted).expect("they are characters")
        };
        byte += 1;
    }
    table
};

const BYTE_LEVEL_SHIFTED: [u8; 68] = {
    let mut table = [0; 68];
    let (mut byte, mut shifted) = (0, 0);
    while byte < 256 {
        if !stands_for_itself(byte as u8) {
            table[shifted] = byte as u8;
            shifted += 1;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_printable_character() {
        for byte in 0..=255 {
            assert_eq!(byte_level_byte(byte_level_char(byte)), Some(byte));
        }
        assert_eq!(byte_level_char(b' '), 'Ġ');
        assert_eq!(byte_level_char(b'\n'), 'Ċ');
        assert_eq!(byte_level_byte(' '), None);
        assert_eq!(byte_level_byte('ń'), None);
    }

    #[test]
    fn many_keys_are_found_one_by_one_and_together() {
        let mut vocab = Vocab::new(Spelling::Plain);
        let mut text = Vec::new();
        let mut keys = Vec::new();
        for number in 0..5000_u32 {
            let key = (number * 7919).to_string();
            if number % 3 > 0 {
                vocab.insert(number, key.as_bytes()).unwrap();
            }
            let begin = text.len();
            text.extend_from_slice(key.as_bytes());
            keys.push(begin..text.len());
        }
        let expected: Vec<_> = (0..5000).map(|number| (number % 3 > 0).then_some(number)).collect();
        let mut together = Vec::new();
        vocab.ids(&text, &keys, &mut together);
        assert_eq!(together, expected);
        assert!(keys.iter().map(|key| vocab.id(&text[key.clone()])).eq(expected));
        assert_eq!(Vocab::default().id(b"a"), None);
    }

    #[test]
    fn blanks_stand_for_their_mark() {
        let mut vocab = Vocab::new(Spelling::Metaspace);
        vocab.insert_spelled(0, "\u{2581}a\u{2581}").unwrap();
        vocab.insert_spelled(1, " ").unwrap();
        assert_eq!(vocab.key(0), Some(&b" a "[..]));
        assert_eq!(vocab.spelled(0).as_deref(), Some("\u{2581}a\u{2581}"));
        assert_eq!((vocab.id(b" "), vocab.id_spelled(" ")), (None, Some(1)));
    }

    #[test]
    fn ids_and_keys_lead_to_each_other() {
        let mut vocab = Vocab::new(Spelling::ByteLevel);
        vocab.insert_spelled(3, "Ġa").unwrap();
        vocab.insert_spelled(5, " a").unwrap();
        assert_eq!(vocab.id(b" a"), Some(3));
        assert_eq!(vocab.id_spelled(" a"), Some(5));
        assert_eq!(vocab.spelled(3).as_deref(), Some("Ġa"));
        assert_eq!(vocab.spelled(5).as_deref(), Some(" a"));
        assert_eq!((vocab.size(), vocab.entries(), vocab.key(4)), (6, 2, None));
        assert!(vocab.insert(3, b"other").is_err());
        assert!(vocab.insert(9, b" a").is_err());
    }
}
