//! A vocabulary under construction, with what resolves spellings to ids: merges and added tokens name their tokens.
//!
//! Resolving is three lookups a merge and is most of the work of a load, so parts are decoded into one buffer, where
//! the key of the product is the keys of the parts end to end.

use hashbrown::HashMap;

use super::json::excerpt;
use super::tokenizer_json::{MergeEntries, VocabEntries};
use crate::added_tokens::AddedToken;
use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::{Spelling, Vocab};

/// A vocabulary, and the ids of its tokens by their spelling.
pub(crate) struct SpelledVocab {
    vocab: Vocab,
    /// Tokens that the alphabet cannot express.
    inexpressible: HashMap<String, u32>,
}

impl SpelledVocab {
    /// A vocabulary from the entries of a file, whose list stands at `path`. Of a token that is listed twice the last
    /// place counts; an id that two tokens have is refused.
    pub(crate) fn new(entries: &VocabEntries, spelling: Spelling, path: &str) -> Result<Self> {
        Self::of((0..entries.ids.len() as u32).collect(), entries, spelling, path).or_else(|error| {
            let last: HashMap<&str, u32> =
                (0..entries.ids.len() as u32).map(|index| (entries.tokens.get(index as usize), index)).collect();
            if last.len() == entries.ids.len() {
                return Err(error);
            }
            let counts = |&index: &u32| last.get(entries.tokens.get(index as usize)) == Some(&index);
            Self::of((0..entries.ids.len() as u32).filter(counts).collect(), entries, spelling, path)
        })
    }

    /// A vocabulary from those entries of a file whose indices are given, in order.
    fn of(mut order: Vec<u32>, entries: &VocabEntries, spelling: Spelling, path: &str) -> Result<Self> {
        if !entries.ids.is_sorted() {
            order.sort_by_key(|&index| entries.ids[index as usize]);
        }
        let mut vocab = Vocab::with_capacity(spelling, order.len());
        let mut inexpressible = HashMap::new();
        let mut key = Vec::new();
        for index in order {
            let (token, id) = (entries.tokens.get(index as usize), entries.ids[index as usize]);
            key.clear();
            let inserted = if spelling.append_bytes(token, &mut key) {
                vocab.insert(id, &key)
            } else if let Some(other) = inexpressible.insert(token.to_owned(), id) {
                Err(Error::format(format!("vocabulary id {id}"), format!("has the same entry as id {other}")))
            } else {
                vocab.insert_spelled(id, token)
            };
            inserted.map_err(|error| match error {
                Error::Format { at, why } => {
                    Error::format(format!("{path}[{}]", excerpt(token)), format!("{at} {why}"))
                }
                other => other,
            })?;
        }
        Ok(Self { vocab, inexpressible })
    }

    pub(crate) fn into_vocab(self) -> Vocab {
        self.vocab
    }

    /// The id of a token by its spelling.
    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        match self.vocab.spelling().to_bytes(token) {
            Some(key) => self.vocab.id(&key),
            None => self.inexpressible.get(token).copied(),
        }
    }

    /// Resolves the merges of a file; `place` names a line of its list. Of a pair listed twice the later rank stays.
    /// `prefix` is what the right part has before it that the product has not.
    pub(crate) fn merges(
        &self,
        entries: &MergeEntries,
        prefix: &str,
        place: impl Fn(usize) -> String,
    ) -> Result<Vec<Merge>> {
        let mut merges = Vec::with_capacity(entries.len());
        let mut key = Vec::new();
        let mut result = 0;
        for index in 0..entries.len() {
            let (left, right) = entries.get(index);
            let merge = self.merge(left, right, prefix, result, &mut key).map_err(|missing| {
                Error::format(place(entries.line(index)), format!("{} is not in the vocabulary", excerpt(&missing)))
            })?;
            result = merge.result;
            merges.push(merge);
        }
        keep_last_of_pair(&mut merges, self.vocab.size());
        Ok(merges)
    }

    /// Resolves one merge; an error is the token that is missing.
    ///
    /// Trained lists make one entry after the other, so the entry after the previous result is tried before the index
    /// is asked.
    fn merge(&self, left: &str, right: &str, prefix: &str, previous: u32, key: &mut Vec<u8>) -> Result<Merge, String> {
        let spelling = self.vocab.spelling();
        key.clear();
        if prefix.is_empty() && spelling.append_bytes(left, key) {
            let cut = key.len();
            if spelling.append_bytes(right, key)
                && let (Some(left), Some(right)) = (self.vocab.id(&key[..cut]), self.vocab.id(&key[cut..]))
                && let Some(result) = self.id_near(previous, key)
            {
                return Ok(Merge { left, right, result });
            }
        }
        let id = |token: &str| self.id(token).ok_or_else(|| token.to_owned());
        let rest = right.get(prefix.len()..).ok_or_else(|| format!("{left} and {right} without {prefix}"))?;
        Ok(Merge { left: id(left)?, right: id(right)?, result: id(&format!("{left}{rest}"))? })
    }

    fn id_near(&self, previous: u32, key: &[u8]) -> Option<u32> {
        let is_entry = |id: &u32| self.vocab.key(*id) == Some(key) && !self.vocab.is_inexpressible(*id);
        [previous + 1, previous].into_iter().find(is_entry).or_else(|| self.vocab.id(key))
    }

    /// Gives added tokens their ids; see [`assign_ids`].
    pub(crate) fn assign_ids(&self, tokens: Vec<AddedToken>, path: &str) -> Result<Vec<AddedToken>> {
        assign_ids(&self.vocab, |token| self.id(token), tokens, path)
    }
}

/// Gives added tokens their ids as tokenizers does, whatever ids they come with: in order, the id of the entry of the
/// same spelling (`known`), else the next one from the number of entries on. Of tokens of one content the last counts,
/// and empty ones do not. The result is in order of id.
pub(crate) fn assign_ids(
    vocab: &Vocab,
    known: impl Fn(&str) -> Option<u32>,
    tokens: Vec<AddedToken>,
    path: &str,
) -> Result<Vec<AddedToken>> {
    let mut assigned: Vec<AddedToken> = Vec::with_capacity(tokens.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut next = vocab.entries() as u32;
    for (index, mut token) in tokens.into_iter().enumerate() {
        if token.content.is_empty() {
            continue;
        }
        if let Some(&place) = places.get(&token.content) {
            token.id = assigned[place].id;
            assigned[place] = token;
            continue;
        }
        token.id = match known(&token.content) {
            Some(id) => id,
            None if vocab.key(next).is_some() => {
                let why =
                    format!("gets id {next}, the first after {} entries, which another token has", vocab.entries());
                return Err(Error::format(format!("{path}[{index}]"), why));
            }
            None => {
                next += 1;
                next - 1
            }
        };
        places.insert(token.content.clone(), assigned.len());
        assigned.push(token);
    }
    assigned.sort_by_key(|token| token.id);
    Ok(assigned)
}

/// Drops the earlier ones of merges of the same pair. Such merges have the same product, so each is compared with the
/// merges of its product alone; these are fewer than the product has bytes.
fn keep_last_of_pair(merges: &mut Vec<Merge>, vocab_size: usize) {
    const NONE: u32 = u32::MAX;
    let mut latest = vec![NONE; vocab_size];
    let mut previous = vec![NONE; merges.len()];
    let mut dropped = Vec::new();
    for index in 0..merges.len() {
        let merge = merges[index];
        let mut after = index as u32;
        let mut other = latest[merge.result as usize];
        previous[index] = other;
        while other != NONE {
            if merges[other as usize] == merge {
                previous[after as usize] = previous[other as usize];
                dropped.push(other);
                break;
            }
            after = other;
            other = previous[other as usize];
        }
        latest[merge.result as usize] = index as u32;
    }
    if !dropped.is_empty() {
        dropped.sort_unstable();
        let mut index = 0;
        merges.retain(|_| {
            index += 1;
            dropped.binary_search(&(index - 1)).is_err()
        });
    }
}
