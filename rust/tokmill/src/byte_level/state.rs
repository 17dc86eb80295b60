//! A text that grows byte by byte, and what a token model says about its next byte.
//!
//! A state asks for logits and is given them; it never calls a model. The text so far is covered by token sequences
//! that end with it or stick out at its end. What they have in common are contexts; those that can still be continued
//! to cover the text are *live*. One byte more ends some tokens, which become new contexts, and narrows the live ones
//! to the tokens that agree with it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::bits::Bits;
use super::index::{NONE, ROOT};
use super::shares::Shares;
use super::spelling::Opening;
use super::tree::{Content, Node};
use super::weights::{LogSum, Logits, Weights};
use super::{Inner, Rules};
use crate::error::{Error, Result};
use crate::ragged::Ragged;

/// A context with tokens that reach beyond the text, and the place in the index of what they share with it.
type LiveNode = (Arc<Node>, u32);

/// Where a text has come to. Levels are linked from the last byte to the first, and shared by forks.
#[derive(Debug)]
struct Level {
    previous: Option<Arc<Level>>,
    /// The last byte; 0 at the begin of the text.
    byte: u8,
    /// Bytes so far, a blank before the text included.
    length: usize,
    /// Contexts that end here.
    ends: Vec<Arc<Node>>,
    /// Contexts with tokens that reach beyond this place, and the prefix of those tokens that is text already.
    live: Vec<LiveNode>,
    /// Log of the probability of all that a beam has dropped.
    dropped: f64,
}

/// Frees the levels of a text one by one.
impl Drop for Level {
    fn drop(&mut self) {
        let mut next = self.previous.take();
        while let Some(mut level) = next.and_then(Arc::into_inner) {
            next = level.previous.take();
        }
    }
}

/// A text and its cover. Cloning forks it: the text so far and what the model said about it are shared.
#[derive(Clone, Debug)]
pub struct ByteState {
    engine: Arc<Inner>,
    prefix: Arc<[u32]>,
    head: Arc<Level>,
    /// Bytes behind the head that wait for logits (only where a beam must choose first).
    queued: VecDeque<u8>,
    /// Keeps alive what is known of the contexts of the head.
    kept: Vec<Arc<Content>>,
    next_id: Arc<AtomicU32>,
}

/// Contexts whose logits are needed.
#[derive(Clone, Debug)]
pub struct ByteRequest {
    nodes: Vec<Arc<Node>>,
    prefix: Arc<[u32]>,
}

/// What comes next.
#[derive(Clone, Debug)]
pub struct NextByte {
    /// Log-probabilities of the 256 bytes and, last, of the end of the text.
    pub log_probs: Vec<f64>,
    /// Log-probabilities of the other added tokens, in order of id.
    pub specials: Vec<(u32, f64)>,
    /// The share of the probability of the text that the model gives to continuations which the tokenizer never
    /// produces.
    pub leak: f64,
}

impl ByteRequest {
    /// Number of contexts.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is needed.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Numbers of the contexts: the same in a state and its forks, parents smaller than children.
    pub fn nodes(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().map(|node| node.id)
    }

    /// Numbers of the contexts without their last token; -1 for the one before any text.
    pub fn parents(&self) -> impl Iterator<Item = i64> {
        self.nodes.iter().map(|node| node.parent.as_ref().map_or(-1, |parent| i64::from(parent.id)))
    }

    /// Last tokens; `u32::MAX` for the empty context.
    pub fn tokens(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().map(|node| node.token)
    }

    /// Numbers of tokens.
    pub fn depths(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().map(|node| node.depth)
    }

    /// The contexts as token sequences, the given ids before the text included.
    pub fn sequences(&self) -> Ragged<u32> {
        let mut rows = Ragged::default();
        for node in &self.nodes {
            rows.values_mut().extend_from_slice(&self.prefix);
            rows.values_mut().extend(node.tokens_from(0));
            rows.end_row();
        }
        rows
    }
}

impl ByteState {
    pub(super) fn new(engine: Arc<Inner>, prefix: &[u32]) -> Self {
        let root = Arc::new(Node::root(0, prefix, engine.rules.root()));
        let head = Arc::new(Level {
            previous: None,
            byte: 0,
            length: 0,
            ends: vec![root.clone()],
            live: vec![(root, ROOT)],
            dropped: f64::NEG_INFINITY,
        });
        let mut state = Self {
            engine,
            prefix: prefix.into(),
            head,
            queued: VecDeque::new(),
            kept: Vec::new(),
            next_id: Arc::new(AtomicU32::new(1)),
        };
        state.open();
        state.keep();
        state
    }

    /// Reads the blank that the tokenizer puts before a text. The empty text has none; and among all sequences there
    /// are those without, which the decoder takes for the same text.
    fn open(&mut self) {
        let engine = self.engine.clone();
        let Some(&blank) = engine.opening.bytes().first() else { return };
        let alone = engine.opening != Opening::Blank || !matches!(engine.rules, Rules::Canonical(_) | Rules::Paths(_));
        let (ends, mut live) = self.behind(blank, alone);
        live.extend(ends.iter().map(|node| (node.clone(), ROOT)));
        let length = self.head.length + 1;
        if matches!(engine.rules, Rules::All) {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            live.push((Arc::new(Node::bare_root(id, &self.prefix, length, engine.rules.root())), ROOT));
        }
        let ends = self.head.ends.iter().cloned().chain(ends).collect();
        self.head = Arc::new(Level { previous: None, byte: 0, length, ends, live, dropped: f64::NEG_INFINITY });
    }

    /// How many bytes the text has, without those that wait.
    fn text_length(&self) -> usize {
        self.head.length - self.engine.opening.bytes().len()
    }

    /// How many logits a context has at least.
    pub fn vocab_size(&self) -> usize {
        self.engine.vocab_size
    }

    /// The text, the bytes that wait included.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.text_length() + self.queued.len());
        let mut level = &self.head;
        while let Some(previous) = &level.previous {
            text.push(level.byte);
            level = previous;
        }
        text.reverse();
        text.extend(&self.queued);
        text
    }

    /// The contexts whose logits are needed before anything can be said about the text. With a beam, there may be more
    /// once these are supplied.
    pub fn pending(&self) -> ByteRequest {
        let mut nodes: Vec<Arc<Node>> = Vec::new();
        let mut add = |node: &Arc<Node>| nodes.push(node.clone());
        let is_read = |node: &Node| node.content().is_some_and(|content| content.weights.get().is_some());
        let asked = self.head.live.iter().map(|(node, _)| node).chain(&self.head.ends);
        for node in asked {
            if !is_read(node) {
                add(node);
            }
            let mut node = node;
            while let Some(parent) = &node.parent
                && !node.is_settled()
            {
                if !node.has_edge() {
                    add(parent);
                }
                node = parent;
            }
        }
        nodes.sort_unstable_by_key(|node| node.id);
        nodes.dedup_by_key(|node| node.id);
        ByteRequest { nodes, prefix: self.prefix.clone() }
    }

    /// Takes the logits of the contexts of a request, a row each, with a logit for each id and perhaps more.
    pub fn supply(&mut self, request: &ByteRequest, logits: &[Logits<'_>]) -> Result<()> {
        let vocab_size = self.engine.vocab_size;
        if logits.len() != request.len() {
            let why = format!("has {} rows for {} contexts", logits.len(), request.len());
            return Err(Error::option("logits", why));
        }
        if let Some(short) = logits.iter().find(|row| row.len() < vocab_size) {
            let why = format!("has {} columns, and the vocabulary {vocab_size} ids", short.len());
            return Err(Error::option("logits", why));
        }
        for (node, &row) in request.nodes.iter().zip(logits) {
            let Inner { index, fours, strict, buffers, .. } = &*self.engine;
            // A context that no state is at is only asked for the sake of those behind it.
            let content = node.content();
            let allowed = content.as_ref().map(|content| self.engine.allowed(node, content));
            let weights = Weights::read(row, (index, fours), allowed, *strict, buffers)?;
            node.answer(&weights, index);
            if let Some(content) = &content {
                let _ = content.weights.set(weights);
            }
        }
        self.advance();
        Ok(())
    }

    /// Appends bytes that are known to come next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.queued.extend(bytes);
        self.advance();
    }

    /// Takes back the last bytes. Contexts that nobody kept meanwhile are pending again.
    pub fn rollback(&mut self, count: usize) -> Result<()> {
        let length = self.text_length() + self.queued.len();
        if count > length {
            return Err(Error::option("n_bytes", format!("is {count}, and the text has {length} bytes")));
        }
        let waiting = count.min(self.queued.len());
        self.queued.truncate(self.queued.len() - waiting);
        for _ in waiting..count {
            if let Some(previous) = self.head.previous.clone() {
                self.head = previous;
            }
        }
        self.keep();
        Ok(())
    }

    /// What comes next. Fails while contexts are pending.
    pub fn next(&self) -> Result<NextByte> {
        let Inner { index, end_of_text, specials, .. } = &*self.engine;
        let known = self.known()?;
        let shares = self.shares(&known);
        let closed = |id: u32| {
            let ends = self.head.ends.iter().zip(&known.ends).filter(|(node, _)| node.place.closed);
            LogSum::of(ends.filter_map(|(_, (base, content))| Some(base + content.weights.get()?.log_prob(id, index))))
        };
        let mut log_probs: Vec<f64> = shares.bytes().collect();
        log_probs.push(end_of_text.map_or(f64::NEG_INFINITY, closed));
        let mut specials: Vec<(u32, f64)> = specials.iter().map(|&id| (id, closed(id))).collect();
        let total = LogSum::of(log_probs.iter().copied().chain(specials.iter().map(|&(_, log)| log)));
        if total > f64::NEG_INFINITY {
            log_probs.iter_mut().chain(specials.iter_mut().map(|(_, log)| log)).for_each(|log| *log -= total);
        }
        let mass = self.mass(&known, shares.reaching());
        let leak = if mass > f64::NEG_INFINITY { (1.0 - (total - mass).exp()).max(0.0) } else { 0.0 };
        Ok(NextByte { log_probs, specials, leak })
    }

    /// What the live contexts say of the next byte.
    fn shares(&self, known: &Known) -> Shares {
        let index = &self.engine.index;
        let mut shares =
            Shares::new(known.live.iter().filter_map(|(base, content)| Some(base + content.weights.get()?.log_unit())));
        for ((node, prefix), (base, content)) in self.head.live.iter().zip(&known.live) {
            let (Some(weights), Some(allowed)) = (content.weights.get(), content.allowed.get()) else { continue };
            let reaches = node.end < self.head.length;
            let mut share = shares.of(base + weights.log_unit(), reaches);
            for (byte, child) in index.children(*prefix) {
                let range = index.range(child);
                let is_first = *prefix == ROOT && !reaches;
                let sum = if is_first { weights.first_sum(byte) } else { weights.sum(range.clone(), index) };
                match sum {
                    Some(sum) => share.add(byte, sum),
                    None => share.add_log(byte, base + weights.log_of_few(range, index, allowed)),
                }
            }
        }
        shares
    }

    /// Log-probability that the model's text begins with this one. Fails while contexts are pending.
    pub fn log_prob(&self) -> Result<f64> {
        let known = self.known()?;
        Ok(self.mass(&known, self.shares(&known).reaching()))
    }

    /// Bounds of [`Self::log_prob`] without a beam: what was dropped adds no more than its own probability.
    pub fn interval(&self) -> Result<(f64, f64)> {
        let lower = self.log_prob()?;
        Ok((lower, LogSum::of([lower, self.head.dropped])))
    }

    /// The token sequences that cover the text, with their log-probability, the most probable first.
    pub fn cover(&self) -> Result<Vec<(Vec<u32>, f64)>> {
        let known = self.known()?;
        let index = &self.engine.index;
        if self.head.previous.is_none() {
            return Ok(vec![(self.prefix.to_vec(), 0.0)]);
        }
        let sequence = |node: &Node| [&self.prefix[..], &node.tokens_from(0)].concat();
        let mut cover: Vec<(Vec<u32>, f64)> =
            self.head.ends.iter().zip(&known.ends).map(|(node, (base, _))| (sequence(node), *base)).collect();
        for ((node, prefix), (base, content)) in self.head.live.iter().zip(&known.live) {
            let (Some(weights), Some(allowed)) = (content.weights.get(), content.allowed.get()) else { continue };
            if node.end == self.head.length {
                continue;
            }
            let start = sequence(node);
            for &id in index.ids_in(index.exact(*prefix).end..index.range(*prefix).end) {
                if allowed.contains(id) {
                    cover.push(([&start[..], &[id]].concat(), base + weights.log_prob(id, index)));
                }
            }
        }
        cover.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        Ok(cover)
    }

    /// Log of the probability of all covers of the text, given that of those that reach beyond it.
    fn mass(&self, known: &Known, reaching: f64) -> f64 {
        if self.head.previous.is_none() {
            return 0.0;
        }
        LogSum::of(known.ends.iter().map(|(base, _)| *base).chain([reaching]))
    }

    /// What the model said, in order of the live contexts and of those that end here.
    fn known(&self) -> Result<Known> {
        let missing = || Error::option("state", "logits are pending: supply them first");
        if !self.queued.is_empty() {
            return Err(missing());
        }
        let of = |node: &Node| {
            let content = node.content().filter(|content| content.weights.get().is_some());
            Ok((node.log_prob().ok_or_else(missing)?, content.ok_or_else(missing)?))
        };
        Ok(Known {
            live: self.head.live.iter().map(|(node, _)| of(node)).collect::<Result<_>>()?,
            ends: self.head.ends.iter().map(|node| of(node)).collect::<Result<_>>()?,
        })
    }

    /// Moves on through the bytes that wait, as far as the logits allow it.
    fn advance(&mut self) {
        while let Some(&byte) = self.queued.front() {
            if self.engine.beam.is_some() && !self.pending().is_empty() {
                break;
            }
            self.push_byte(byte);
            self.queued.pop_front();
        }
    }

    /// Moves on by one byte.
    fn push_byte(&mut self, byte: u8) {
        let (mut ends, mut live) = self.behind(byte, true);
        let mut dropped = self.head.dropped;
        if let Some(beam) = self.engine.beam {
            dropped = LogSum::of([dropped, prune(&mut ends, beam)]);
        }
        live.extend(ends.iter().map(|node| (node.clone(), ROOT)));
        let previous = Some(self.head.clone());
        self.head = Arc::new(Level { previous, byte, length: self.head.length + 1, ends, live, dropped });
        self.keep();
    }

    /// The contexts that end behind one more byte, and those with tokens that reach beyond it. The text may end there
    /// where `may_end`.
    fn behind(&self, byte: u8, may_end: bool) -> (Vec<Arc<Node>>, Vec<LiveNode>) {
        let engine = &*self.engine;
        let index = &engine.index;
        let length = self.head.length + 1;
        let mut live = Vec::with_capacity(self.head.live.len() + 1);
        let mut ends = Vec::new();
        for (node, prefix) in &self.head.live {
            let Some(longer) = index.child(*prefix, byte) else { continue };
            let content = node.content_or_new();
            let allowed = engine.allowed(node, &content);
            let exact = index.exact(longer);
            for rank in exact.clone().filter(|&rank| allowed.contains(index.id(rank))) {
                let mut place = engine.rules.place(node, rank, index);
                place.closed &= may_end;
                let id = self.next_id.fetch_add(1, Ordering::Relaxed);
                ends.push(Node::child(id, node, index.id(rank), length, place, index));
            }
            if index.any_in(exact.end..index.range(longer).end, allowed) {
                live.push((node.clone(), longer));
            }
        }
        (ends, live)
    }

    /// Keeps what is known of the contexts of the head, and of no others.
    fn keep(&mut self) {
        let nodes = self.head.live.iter().map(|(node, _)| node).chain(&self.head.ends);
        self.kept = nodes.map(|node| node.content_or_new()).collect();
    }
}

/// What the model said of the contexts of a level: their log-probability, and the tokens behind them.
struct Known {
    live: Vec<(f64, Arc<Content>)>,
    ends: Vec<(f64, Arc<Content>)>,
}

/// Leaves the `beam` most probable contexts and returns the log-probability of the others.
fn prune(ends: &mut Vec<Arc<Node>>, beam: usize) -> f64 {
    if ends.len() <= beam {
        return f64::NEG_INFINITY;
    }
    let log_prob = |node: &Arc<Node>| node.log_prob().unwrap_or(f64::NEG_INFINITY);
    ends.sort_by(|left, right| log_prob(right).total_cmp(&log_prob(left)).then(left.id.cmp(&right.id)));
    let dropped = LogSum::of(ends[beam..].iter().map(log_prob));
    ends.truncate(beam);
    dropped
}

impl Inner {
    /// The tokens that the tokenizer may put behind a context.
    fn allowed<'a>(&self, node: &Node, content: &'a Content) -> &'a Bits {
        content.allowed.get_or_init(|| match &self.rules {
            Rules::Canonical(canonical) => canonical.allowed(node, &self.index),
            Rules::Paths(paths) => paths.allowed(node, &self.index),
            Rules::Brute(brute) => brute.allowed(node, &self.index),
            Rules::All => {
                let mut all = Bits::new(self.vocab_size);
                self.index.ids_in(0..self.index.len() as u32).iter().for_each(|&id| all.insert(id));
                if let Some(blank) = self.index.find(self.opening.bytes()).filter(|_| node.bare) {
                    self.index.ids_in(self.index.range(blank)).iter().for_each(|&id| all.remove(id));
                    self.kept_blank.into_iter().for_each(|id| all.insert(id));
                } else if node.parent.is_none() {
                    self.kept_blank.into_iter().for_each(|id| all.remove(id));
                }
                all
            }
        })
    }

    /// Checks ids that stand before a text.
    pub(super) fn check_ids(&self, ids: &[u32]) -> Result<()> {
        match ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            Some(&id) => Err(Error::UnknownId { id: id.into(), vocab_size: self.vocab_size }),
            None => Ok(()),
        }
    }

    /// Whether an id stands for text.
    pub(super) fn is_ordinary(&self, id: u32) -> bool {
        self.index.rank(id) != NONE
    }
}
