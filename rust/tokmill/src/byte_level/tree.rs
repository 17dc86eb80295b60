//! The tree of contexts: token sequences for which the model is asked.
//!
//! A node is a sequence of tokens; its parent is the sequence without the last one. States that come from one another
//! by forking share nodes, and with them what the model said. What is large (the probabilities of all tokens) is held
//! by the states that still need it; a node remembers it only as long as somebody does.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::bits::Bits;
use super::index::Index;
use super::place::Place;
use super::weights::Weights;

/// A context.
#[derive(Debug)]
pub(super) struct Node {
    /// Unique among the nodes of a start and its forks.
    pub(super) id: u32,
    pub(super) parent: Option<Arc<Node>>,
    /// The last token.
    pub(super) token: u32,
    /// Number of tokens, those before the text included.
    pub(super) depth: u32,
    /// Bytes that the tokens stand for, the blank before the text included.
    pub(super) end: usize,
    /// What decides which tokens may follow.
    pub(super) place: Place,
    /// Whether tokens that begin with a blank are left to another context of the same tokens.
    pub(super) bare: bool,
    /// Log-probability of the last token behind the others.
    edge: OnceLock<f64>,
    /// Log-probability of all tokens of the text.
    log_prob: OnceLock<f64>,
    /// Children that want to know the probability of their token.
    waiting: Mutex<Vec<Weak<Node>>>,
    content: Mutex<Weak<Content>>,
}

/// What is known of the tokens behind a context.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Ranks of the tokens that the tokenizer may put next.
    pub(super) allowed: OnceLock<Bits>,
    /// What the model says.
    pub(super) weights: OnceLock<Weights>,
}

impl Node {
    /// The context before any text.
    pub(super) fn root(id: u32, prefix: &[u32], place: Place) -> Self {
        let node = Self::new(id, None, prefix.last().copied().unwrap_or(u32::MAX), prefix.len() as u32, 0, place);
        let _ = node.log_prob.set(0.0);
        node
    }

    /// The same for a text without the blank that usually opens it: it ends where the blank would.
    pub(super) fn bare_root(id: u32, prefix: &[u32], end: usize, place: Place) -> Self {
        let mut node = Self::root(id, prefix, place);
        (node.bare, node.end) = (true, end);
        node
    }

    /// A context with one more token, which ends at byte `end` of the text.
    pub(super) fn child(id: u32, parent: &Arc<Self>, token: u32, end: usize, place: Place, index: &Index) -> Arc<Self> {
        let node = Arc::new(Self::new(id, Some(parent.clone()), token, parent.depth + 1, end, place));
        match parent.content().and_then(|content| content.weights.get().map(|weights| weights.log_prob(token, index))) {
            Some(edge) => drop(node.edge.set(edge)),
            None => lock(&parent.waiting).push(Arc::downgrade(&node)),
        }
        node
    }

    fn new(id: u32, parent: Option<Arc<Self>>, token: u32, depth: u32, end: usize, place: Place) -> Self {
        Self {
            id,
            parent,
            token,
            depth,
            end,
            place,
            bare: false,
            edge: OnceLock::new(),
            log_prob: OnceLock::new(),
            waiting: Mutex::default(),
            content: Mutex::default(),
        }
    }

    /// What is known of the next tokens, if some state still needs it.
    pub(super) fn content(&self) -> Option<Arc<Content>> {
        lock(&self.content).upgrade()
    }

    /// The same; made if there is none. It lives as long as the caller keeps it.
    pub(super) fn content_or_new(&self) -> Arc<Content> {
        let mut content = lock(&self.content);
        content.upgrade().unwrap_or_else(|| {
            let new = Arc::<Content>::default();
            *content = Arc::downgrade(&new);
            new
        })
    }

    /// Tells the children that wait for it the probability of their token.
    pub(super) fn answer(&self, weights: &Weights, index: &Index) {
        for child in lock(&self.waiting).drain(..).filter_map(|child| child.upgrade()) {
            let _ = child.edge.set(weights.log_prob(child.token, index));
        }
    }

    /// Whether the probability of the last token is known.
    pub(super) fn has_edge(&self) -> bool {
        self.parent.is_none() || self.edge.get().is_some()
    }

    /// Whether the probability of all tokens has been asked for and was known.
    pub(super) fn is_settled(&self) -> bool {
        self.log_prob.get().is_some()
    }

    /// Log-probability of all tokens of the text; `None` where the model has not said all of it.
    pub(super) fn log_prob(&self) -> Option<f64> {
        let mut path = Vec::new();
        let mut node = self;
        let mut log_prob = loop {
            if let Some(&known) = node.log_prob.get() {
                break known;
            }
            path.push(node);
            node = node.parent.as_deref()?;
        };
        for node in path.into_iter().rev() {
            log_prob += node.edge.get()?;
            let _ = node.log_prob.set(log_prob);
        }
        Some(log_prob)
    }

    /// The tokens of the text that end behind byte `begin`, in order.
    pub(super) fn tokens_from(&self, begin: usize) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut node = self;
        while node.end > begin
            && let Some(parent) = node.parent.as_deref()
        {
            tokens.push(node.token);
            node = parent;
        }
        tokens.reverse();
        tokens
    }
}

/// Frees a chain of contexts one by one: they may be as many as a text has tokens.
impl Drop for Node {
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut node) = next.and_then(Arc::into_inner) {
            next = node.parent.take();
        }
    }
}

/// What a panic left behind is as good as new: all changes are made at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
