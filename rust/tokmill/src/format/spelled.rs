//! A vocabulary under construction, with what resolves spellings to ids: merges and added tokens name their tokens.
//!
//! Resolving is three lookups a merge and is most of the work of a load, so merges are looked up in batches, whose parts
//! are decoded into one buffer, where the key of the product is the keys of the parts end to end.

use std::collections::BTreeMap;

use std::ops::Range;

use hashbrown::HashMap;

use super::json::excerpt;
use super::tokenizer_json::{MergeEntries, VocabEntries};
use crate::added_tokens::AddedToken;
use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::parallel;
use crate::vocab::{Spelling, Vocab};

/// Merges that are looked up together.
const BATCH: usize = 32;

/// Buffers for a batch of merges.
#[derive(Default)]
struct Batch {
    /// Keys of the parts end to end, so that those of a merge are the key of its product.
    keys: Vec<u8>,
    /// Where they lie: left and right parts in turns.
    parts: Vec<Range<usize>>,
    ids: Vec<Option<u32>>,
}

/// What a merge counts for when threads are shared out: looking it up takes as long as encoding so many bytes.
const BYTES_OF_A_MERGE: usize = 16;

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
        place: impl Fn(usize) -> String + Sync,
    ) -> Result<Vec<Merge>> {
        let run = |run: Range<usize>| -> Result<Vec<Merge>> {
            let mut merges = Vec::with_capacity(run.len());
            let mut batch = Batch::default();
            for first in run.clone().step_by(BATCH) {
                self.merge_batch(entries, first..run.end.min(first + BATCH), prefix, &mut batch, &mut merges).map_err(
                    |(index, missing)| {
                        let why = format!("{} is not in the vocabulary", excerpt(&missing));
                        Error::format(place(entries.line(index)), why)
                    },
                )?;
            }
            Ok(merges)
        };
        // Each merge is looked up on its own, which is most of the work of a load.
        let threads = parallel::threads_for(entries.len() * BYTES_OF_A_MERGE, None);
        let runs = parallel::balanced(std::iter::repeat_n(1, entries.len()), threads);
        let mut merges = parallel::map(runs, threads, run).into_iter().collect::<Result<Vec<_>>>()?.concat();
        keep_last_of_pair(&mut merges, self.vocab.size());
        Ok(merges)
    }

    /// Resolves some merges; an error is the place of one and the token that is missing.
    ///
    /// Trained lists make one entry after the other, so the entry after the previous result is tried before the index
    /// is asked.
    fn merge_batch(
        &self,
        entries: &MergeEntries,
        run: Range<usize>,
        prefix: &str,
        batch: &mut Batch,
        merges: &mut Vec<Merge>,
    ) -> Result<(), (usize, String)> {
        let Batch { keys, parts, ids } = batch;
        keys.clear();
        parts.clear();
        ids.clear();
        for index in run.clone() {
            let (left, right) = entries.get(index);
            for part in [left, right] {
                let begin = keys.len();
                if !self.vocab.spelling().append_bytes(part, keys) {
                    // Spelled as it is, which is no key; it is looked up apart.
                    keys.truncate(begin);
                }
                parts.push(begin..keys.len());
            }
        }
        self.vocab.ids(keys, parts, ids);
        for ((index, parts), found) in run.zip(parts.as_chunks::<2>().0).zip(ids.as_chunks::<2>().0) {
            let previous = merges.last().map_or(0, |merge| merge.result);
            let product = &keys[parts[0].start..parts[1].end];
            let merge = match *found {
                [Some(left), Some(right)] if prefix.is_empty() && parts.iter().all(|part| !part.is_empty()) => {
                    self.id_near(previous, product).map(|result| Merge { left, right, result })
                }
                _ => None,
            };
            let (left, right) = entries.get(index);
            let merge =
                merge.map_or_else(|| self.merge(left, right, prefix).map_err(|missing| (index, missing)), Ok)?;
            merges.push(merge);
        }
        Ok(())
    }

    /// Resolves one merge by its spelling; an error is the token that is missing.
    fn merge(&self, left: &str, right: &str, prefix: &str) -> Result<Merge, String> {
        let id = |token: &str| self.id(token).ok_or_else(|| token.to_owned());
        let rest = right.get(prefix.len()..).ok_or_else(|| format!("{left} and {right} without {prefix}"))?;
        Ok(Merge { left: id(left)?, right: id(right)?, result: id(&format!("{left}{rest}"))? })
    }

    fn id_near(&self, previous: u32, key: &[u8]) -> Option<u32> {
        let is_entry = |id: &u32| self.vocab.key(*id) == Some(key) && !self.vocab.is_inexpressible(*id);
        [previous + 1, previous].into_iter().find(is_entry).or_else(|| self.vocab.id(key))
    }

    /// Gives added tokens their ids; see [`assign_ids`].
    pub(crate) fn assign_ids(&self, tokens: Vec<AddedToken>) -> Vec<AddedToken> {
        assign_ids(&self.vocab, |token| self.id(token), tokens)
    }
}

/// Gives added tokens their ids as tokenizers does, whatever ids they come with: in order, the id of the entry of the
/// same spelling (`known`), else the next one from the number of entries on, which an entry may have where ids have
/// gaps. Of tokens of one content, and of one id, the last counts, and empty ones do not. The result is in order of id.
pub(crate) fn assign_ids(
    vocab: &Vocab,
    known: impl Fn(&str) -> Option<u32>,
    tokens: Vec<AddedToken>,
) -> Vec<AddedToken> {
    let mut assigned: BTreeMap<u32, AddedToken> = BTreeMap::new();
    let mut ids: HashMap<String, u32> = HashMap::new();
    let mut next = vocab.entries() as u32;
    for mut token in tokens.into_iter().filter(|token| !token.content.is_empty()) {
        let earlier = ids.get(&token.content).copied();
        token.id = earlier.or_else(|| known(&token.content)).unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        ids.insert(token.content.clone(), token.id);
        assigned.insert(token.id, token);
    }
    assigned.into_values().collect()
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
