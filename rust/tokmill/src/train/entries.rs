//! The entries of a vocabulary in training: special tokens, alphabet, and what merges make.
//!
//! The alphabet is one of bytes, or of characters with affixes, which `characters` finds.

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::{MAX_ENTRY, MAX_VOCAB, Spelling, Vocab};

use super::bpe::Corpus;
use super::options::{AlphabetOrder, Base, BpeTrainerOptions, InitialAlphabet};
use super::veto::Veto;

/// The entries while they grow.
#[derive(Debug)]
pub(super) struct Entries {
    vocab: Vocab,
    special_tokens: Vec<(String, u32)>,
    byte_ids: [u32; 256],
    /// By id.
    measures: Vec<Measures>,
    limits: Limits,
    /// What entries inside a word begin with; it goes where they become the right part of another.
    prefix: Vec<u8>,
    scratch: Vec<u8>,
}

/// How long an entry is.
#[derive(Clone, Copy, Debug)]
struct Measures {
    bytes: u32,
    /// Bytes that begin a character.
    begins: u32,
    /// Whether the entry begins inside a character, which then counts as one more.
    begins_inside: bool,
}

impl Measures {
    fn of(key: &[u8]) -> Self {
        Self {
            bytes: key.len() as u32,
            begins: key.iter().filter(|&&byte| !is_continuation(byte)).count() as u32,
            begins_inside: key.first().is_some_and(|&byte| is_continuation(byte)),
        }
    }

    /// Those of both together.
    fn with(self, right: Self) -> Self {
        Self { bytes: self.bytes + right.bytes, begins: self.begins + right.begins, ..self }
    }
}

/// The most that an entry may hold.
#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: u32,
    chars: u32,
}

/// Stands for a byte that has no entry.
const NO_ID: u32 = u32::MAX;

impl Entries {
    /// Special tokens and alphabet, or the base; checks the sizes asked for.
    pub(super) fn new(corpus: &Corpus, options: &BpeTrainerOptions) -> Result<Self> {
        let vocab = match &options.base {
            Some(base) => checked_base(base)?,
            None => Vocab::new(Spelling::ByteLevel),
        };
        let mut entries = Self::empty(vocab, options);
        entries.add_special_tokens(&options.special_tokens)?;
        if options.base.is_some() {
            entries.find_alphabet(corpus)?;
        } else {
            entries.add_alphabet(corpus, &options.initial_alphabet, options.alphabet_order)?;
        }
        let what = if options.base.is_some() { "the base" } else { "special tokens and alphabet" };
        entries.check_sizes(what, options)?;
        Ok(entries)
    }

    /// Special tokens, for an alphabet of characters to come. `prefix` marks entries inside a word.
    pub(super) fn of_characters(prefix: &str, options: &BpeTrainerOptions) -> Result<Self> {
        let mut entries = Self::empty(Vocab::new(Spelling::Plain), options);
        entries.prefix = prefix.into();
        entries.add_special_tokens(&options.special_tokens)?;
        Ok(entries)
    }

    fn empty(vocab: Vocab, options: &BpeTrainerOptions) -> Self {
        let limit = |limit: Option<usize>| limit.map_or(u32::MAX, |limit| u32::try_from(limit).unwrap_or(u32::MAX));
        let measures = (0..vocab.size() as u32).map(|id| Measures::of(vocab.key(id).unwrap_or_default())).collect();
        Self {
            vocab,
            special_tokens: Vec::new(),
            byte_ids: [NO_ID; 256],
            measures,
            limits: Limits { bytes: limit(options.max_token_bytes), chars: limit(options.max_token_chars) },
            prefix: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Refuses sizes that the entries so far, which are `what`, or the largest vocabulary rule out.
    pub(super) fn check_sizes(&self, what: &str, options: &BpeTrainerOptions) -> Result<()> {
        let least = self.vocab.size();
        if options.vocab_size < least {
            let why = format!("{} is too small: {what} alone have {least} entries", options.vocab_size);
            return Err(Error::option("vocab_size", why));
        }
        if options.vocab_size > MAX_VOCAB {
            return Err(Error::option("vocab_size", format!("{} is more than {MAX_VOCAB}", options.vocab_size)));
        }
        if let Some(size) = options.pad_to.filter(|size| !(options.vocab_size..=MAX_VOCAB).contains(size)) {
            let why = format!("{size} is not between vocab_size, {}, and {MAX_VOCAB}", options.vocab_size);
            return Err(Error::option("pad_to", why));
        }
        Ok(())
    }

    fn add_special_tokens(&mut self, tokens: &[String]) -> Result<()> {
        for token in tokens {
            if token.is_empty() {
                return Err(Error::option("special_tokens", "an empty string cannot be a token"));
            }
            if self.special_tokens.iter().any(|(other, _)| other == token) {
                continue;
            }
            let known = self.vocab.id_spelled(token);
            let id = known.unwrap_or(self.vocab.size() as u32);
            if known.is_none() {
                self.vocab.insert_spelled(id, token)?;
                self.measures.push(Measures::of(self.vocab.key(id).unwrap_or_default()));
            }
            self.special_tokens.push((token.clone(), id));
        }
        Ok(())
    }

    fn add_alphabet(&mut self, corpus: &Corpus, alphabet: &InitialAlphabet, order: AlphabetOrder) -> Result<()> {
        for byte in order.bytes() {
            let wanted = match alphabet {
                InitialAlphabet::Bytes => true,
                InitialAlphabet::Seen(also) => corpus.seen[usize::from(byte)] || also.contains(&byte),
            };
            if wanted {
                self.byte_ids[usize::from(byte)] = self.add_entry(&[byte])?;
            }
        }
        Ok(())
    }

    /// Looks up the alphabet of a base.
    fn find_alphabet(&mut self, corpus: &Corpus) -> Result<()> {
        for byte in 0..=u8::MAX {
            match self.vocab.id(&[byte]) {
                Some(id) => self.byte_ids[usize::from(byte)] = id,
                None if corpus.seen[usize::from(byte)] => {
                    return Err(Error::option(
                        "base",
                        format!("has no entry for byte 0x{byte:02X}, which the corpus holds"),
                    ));
                }
                None => (),
            }
        }
        Ok(())
    }

    /// The id of an entry, which is given one if it has none.
    fn add_entry(&mut self, key: &[u8]) -> Result<u32> {
        Ok(self.add_measured(key, Measures::of(key))?.0)
    }

    /// The id of a character of the alphabet, spelled with its affixes.
    pub(super) fn add_character(&mut self, spelled: &str) -> Result<u32> {
        let one = Measures { bytes: spelled.len() as u32, begins: 1, begins_inside: false };
        Ok(self.add_measured(spelled.as_bytes(), one)?.0)
    }

    /// The id of an entry, and whether it had one before.
    fn add_measured(&mut self, key: &[u8], measures: Measures) -> Result<(u32, bool)> {
        if let Some(id) = self.vocab.id(key) {
            return Ok((id, true));
        }
        let id = self.vocab.size() as u32;
        self.vocab.insert(id, key)?;
        self.measures.push(measures);
        Ok((id, false))
    }

    /// Whether an entry of both together is short enough.
    #[inline]
    pub(super) fn fits(&self, left: u32, right: u32) -> bool {
        let (left, right) = (&self.measures[left as usize], &self.measures[right as usize]);
        left.bytes + right.bytes <= self.limits.bytes
            && left.begins + right.begins + u32::from(left.begins_inside) <= self.limits.chars
    }

    /// Whether the veto and the limits allow a merge.
    pub(super) fn allows(&mut self, left: u32, right: u32, veto: Option<&Veto>) -> bool {
        self.fits(left, right) && veto.is_none_or(|veto| veto.allows(self.spell(left, right)))
    }

    /// The bytes of both together.
    fn spell(&mut self, left: u32, right: u32) -> &[u8] {
        let key = |id| self.vocab.key(id).expect("symbols of the corpus are entries");
        let (left, right) = (key(left), key(right));
        self.scratch.clear();
        self.scratch.extend_from_slice(left);
        self.scratch.extend_from_slice(right.strip_prefix(&self.prefix[..]).unwrap_or(right));
        &self.scratch
    }

    /// The id of the entry of both together, and whether it was an entry before.
    pub(super) fn merged(&mut self, left: u32, right: u32) -> Result<(u32, bool)> {
        if self.spell(left, right).len() > MAX_ENTRY {
            let why = format!("is needed: the next merge makes an entry of more than {MAX_ENTRY} bytes");
            return Err(Error::option("max_token_bytes", why));
        }
        let measures = self.measures[left as usize].with(self.measures[right as usize]);
        self.spell(left, right);
        let key = std::mem::take(&mut self.scratch);
        let added = self.add_measured(&key, measures);
        self.scratch = key;
        added
    }

    /// Makes a merge again that an earlier run made.
    pub(super) fn redo(&mut self, merge: Merge) -> Result<()> {
        let known = |id: u32| (id as usize) < self.vocab.size() && self.vocab.key(id).is_some();
        if known(merge.left) && known(merge.right) && self.merged(merge.left, merge.right)?.0 == merge.result {
            return Ok(());
        }
        Err(Error::option("checkpoint", "is of a run with another vocabulary"))
    }

    /// One more than the largest id.
    pub(super) fn size(&self) -> usize {
        self.vocab.size()
    }

    /// The id of a byte that the corpus holds.
    pub(super) fn byte_id(&self, byte: u8) -> u32 {
        self.byte_ids[usize::from(byte)]
    }

    /// The vocabulary so far.
    pub(super) fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// The vocabulary and the special tokens.
    pub(super) fn into_parts(self) -> (Vocab, Vec<(String, u32)>) {
        (self.vocab, self.special_tokens)
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// A base whose merges are sound.
fn checked_base(base: &Base) -> Result<Vocab> {
    if base.vocab.spelling() == Spelling::Plain {
        return Err(Error::unsupported("base", "a vocabulary whose entries are text and not bytes"));
    }
    for (rank, merge) in base.merges.iter().enumerate() {
        let key = |id| base.vocab.key(id).filter(|_| !base.vocab.is_inexpressible(id));
        let sound = match (key(merge.left), key(merge.right), key(merge.result)) {
            (Some(left), Some(right), Some(result)) => {
                !left.is_empty() && !right.is_empty() && result.strip_prefix(left) == Some(right)
            }
            _ => false,
        };
        if !sound {
            let why = "its result is not the entry of both parts together";
            return Err(Error::format(format!("base.merges[{rank}]"), why));
        }
    }
    Ok(base.vocab.clone())
}
