//! New tokenizers from old ones.

use super::{Parts, Tokenizer};
use crate::added_tokens::AddedToken;
use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::model::{Bpe, Model};
use crate::pretokenize::Pretokenizer;
use crate::vocab::Vocab;

impl Tokenizer {
    /// A tokenizer that also has these special tokens. A token that exists is made special and keeps its id; an id
    /// that is taken by another token is refused.
    pub fn with_special_tokens(&self, tokens: &[(String, u32)]) -> Result<Self> {
        let mut added = self.added_tokens().to_vec();
        for (content, id) in tokens {
            if content.is_empty() {
                return Err(Error::option("special_tokens", "a special token needs at least one character"));
            }
            if let Some(known) = self.token_id_spelled(content).filter(|known| known != id) {
                let why = format!("{content:?} is already in the vocabulary, with the id {known}");
                return Err(Error::option("special_tokens", why));
            }
            if let Some(token) = added.iter_mut().find(|token| token.content == *content) {
                token.special = true;
                continue;
            }
            let token = AddedToken::special(content.clone(), *id);
            token.check_id(self.model.vocab())?;
            added.push(token);
        }
        Self::new(self.parts_with(self.model.clone(), added)?)
    }

    /// A tokenizer with the first entries of the merge list only, `vocab_size` entries in all with the added tokens;
    /// ids do not change. Needs a model whose merges make entries in order of id, as a trainer's do.
    pub fn truncated(&self, vocab_size: usize) -> Result<Self> {
        let Model::Bpe(bpe) = &self.model else {
            return Err(Error::unsupported("truncated", "a model without merges"));
        };
        let outside = self.added_tokens().iter().filter(|token| bpe.vocab().key(token.id).is_none()).count();
        let made: Vec<u32> = {
            let mut results: Vec<u32> = bpe.merges().iter().map(|merge| merge.result).collect();
            results.sort_unstable();
            results.dedup();
            results
        };
        let total = bpe.vocab().entries() + outside;
        let smallest = total - made.len();
        if !(smallest..=total).contains(&vocab_size) {
            let why = format!("must be from {smallest} (no merges) to {total} (all of them)");
            return Err(Error::option("vocab_size", why));
        }
        let removed = &made[made.len() - (total - vocab_size)..];
        let is_removed = |id: u32| removed.binary_search(&id).is_ok();
        let mut vocab = Vocab::new(bpe.vocab().spelling());
        for (id, key) in bpe.vocab().iter().filter(|(id, _)| !is_removed(*id)) {
            if bpe.vocab().is_inexpressible(id) {
                vocab.insert_spelled(id, &bpe.vocab().spelled(id).unwrap_or_default())?;
            } else {
                vocab.insert(id, key)?;
            }
        }
        let kept = |merge: &&Merge| ![merge.left, merge.right, merge.result].into_iter().any(is_removed);
        let merges: Vec<Merge> = bpe.merges().iter().filter(kept).copied().collect();
        let bpe = Bpe::new(vocab, merges, bpe.options().clone())?;
        Self::new(self.parts_with(Model::Bpe(bpe), self.added_tokens().to_vec())?)
    }

    /// The parts of this tokenizer with another model and other added tokens.
    fn parts_with(&self, model: Model, added_tokens: Vec<AddedToken>) -> Result<Parts> {
        Ok(Parts {
            normalizer: self.normalizer.as_deref().cloned(),
            added_tokens,
            pretokenizer: Pretokenizer::new(self.pretokenizer.steps().to_vec())?,
            model,
            post_processor: self.post_processor.clone(),
            decoder: self.decoder.clone(),
            lengths: self.lengths.clone(),
            matching: self.added_tokens.rule(),
        })
    }
}
