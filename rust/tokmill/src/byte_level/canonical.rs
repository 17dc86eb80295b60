//! Which token sequences a tokenizer emits: those that begin the encoding of some text.
//!
//! A sequence is *open-valid* if some continuation of its bytes encodes to it and more, *closed-valid* if its bytes
//! themselves encode to it. Re-encoding tests the second; only the first is right for texts that go on (`"  "` is one
//! token, but `"  1"` begins with a blank of its own). Both are decided from the left: the pretokenizer is
//! read with guesses about where pieces end ([`OpenPretokenizer`]), the model says what can follow inside a piece
//! ([`PieceModel`]). For each state of the pretokenizer the tokens that it lets pass are found once, in a walk over
//! the tree of their common beginnings, and kept as a set; a context then costs a few operations on sets.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

use super::bits::Bits;
use super::index::{Index, ROOT};
use super::kept::Kept;
use super::piece::{PieceModel, Standing};
use super::place::{Context, Place};
use super::tree::Node;
use crate::error::Result;
use crate::pretokenize::Pretokenizer;
use crate::pretokenize::open::{IMPOSSIBLE, OpenPretokenizer, OpenState};

/// One way in which the text before a context is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guess {
    state: OpenState,
    /// Where the piece that the next token is part of begins: at the end of the context if it is the first.
    piece_begin: usize,
}

/// Decides validity for models whose pieces are encoded on their own.
#[derive(Debug)]
pub(super) struct Canonical {
    model: PieceModel,
    reader: Mutex<Reader>,
}

/// The pretokenizer, and what it lets pass.
#[derive(Debug)]
struct Reader {
    open: OpenPretokenizer,
    passing: Kept<OpenState, Arc<Passing>>,
    /// Whether a piece can go on behind a token, by token and state.
    goes_on: HashMap<(u32, OpenState), bool>,
}

/// Sets of tokens that are kept. Texts in ordinary languages need a few dozen; each unfinished character has its own.
const KEPT_SETS: usize = 512;

/// The tokens that may come next in a state.
#[derive(Debug)]
struct Passing {
    /// Those that stand anywhere.
    anywhere: Bits,
    /// Those that are pieces of their own, by id.
    alone: Vec<u32>,
}

impl Canonical {
    pub(super) fn new(pretokenizer: &Pretokenizer, model: PieceModel, index: &Index) -> Result<Self> {
        let open = OpenPretokenizer::new(pretokenizer, &model.written(index))?;
        let reader = Reader { open, passing: Kept::new(KEPT_SETS), goes_on: HashMap::new() };
        Ok(Self { model, reader: Mutex::new(reader) })
    }

    /// The place before any text.
    pub(super) fn root(&self) -> Place {
        let mut reader = self.reader();
        let state = reader.open.start();
        let standing = Context::Guesses(vec![Guess { state, piece_begin: 0 }]);
        Place { standing, closed: reader.open.may_end(state) }
    }

    fn reader(&self) -> std::sync::MutexGuard<'_, Reader> {
        // A panic leaves tables that lack an entry at most.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tokens that may follow a context in some text.
    pub(super) fn allowed(&self, node: &Node, index: &Index) -> Bits {
        let mut allowed = Bits::new(index.vocab_size());
        let mut reader = self.reader();
        for guess in node.place.guesses() {
            let passing = reader.passing(guess.state, &self.model, index);
            if guess.piece_begin == node.end {
                allowed.unite(&passing.anywhere);
                passing.alone.iter().for_each(|&id| allowed.insert(id));
                continue;
            }
            let mut inside = passing.anywhere.clone();
            inside.subtract(&self.model.excluded(node, guess.piece_begin, index));
            for rank in self.model.completing_alone(node, guess.piece_begin, index) {
                if inside.contains(index.id(rank)) {
                    let state = reader.walk(guess.state, index.bytes(rank));
                    if !reader.goes_on(rank, state, &self.model, index) {
                        inside.remove(index.id(rank));
                    }
                }
            }
            allowed.unite(&inside);
        }
        allowed
    }

    /// The place behind a context and a token that may follow it.
    pub(super) fn place(&self, node: &Node, rank: u32, index: &Index) -> Place {
        let (mut guesses, mut closed) = (Vec::new(), false);
        let mut reader = self.reader();
        let end = node.end + index.bytes(rank).len();
        let mut behind = IMPOSSIBLE;
        let standing = self.model.standing(rank);
        for guess in node.place.guesses() {
            let first = guess.piece_begin == node.end;
            let fits = match standing {
                Standing::Nowhere => false,
                Standing::Alone => first,
                Standing::Anywhere => {
                    first || !self.model.excluded(node, guess.piece_begin, index).contains(index.id(rank))
                }
                Standing::Apart => true,
            };
            let state = match standing {
                _ if !fits => IMPOSSIBLE,
                Standing::Apart => reader.open.step_apart(guess.state, index.bytes(rank)[0]),
                _ => reader.walk(guess.state, index.bytes(rank)),
            };
            if state == IMPOSSIBLE {
                continue;
            }
            if standing != Standing::Alone {
                guesses.push(Guess { state, piece_begin: guess.piece_begin });
            }
            if first || !self.model.is_alone(node, guess.piece_begin, rank, index) {
                closed |= reader.open.may_end(state);
                let next = reader.open.end_piece(state);
                behind = reader.open.either(behind, next);
            }
        }
        if behind != IMPOSSIBLE {
            guesses.push(Guess { state: behind, piece_begin: end });
        }
        Place { standing: Context::Guesses(guesses), closed }
    }
}

impl Reader {
    fn walk(&mut self, state: OpenState, bytes: &[u8]) -> OpenState {
        bytes.iter().fold(state, |state, &byte| self.open.step(state, byte))
    }

    /// Whether a piece may end, with or without the text.
    fn may_stop(&mut self, state: OpenState) -> bool {
        self.open.end_piece(state) != IMPOSSIBLE || self.open.may_end(state)
    }

    /// The tokens that may come next in a state, as far as the pretokenizer has a say.
    fn passing(&mut self, state: OpenState, model: &PieceModel, index: &Index) -> Arc<Passing> {
        if let Some(known) = self.passing.get(&state) {
            return known;
        }
        let mut passing = Passing { anywhere: Bits::new(index.vocab_size()), alone: Vec::new() };
        let mut stack = vec![(ROOT, state)];
        while let Some((prefix, state)) = stack.pop() {
            for (byte, child) in index.children(prefix) {
                let next = self.open.step(state, byte);
                if next == IMPOSSIBLE {
                    continue;
                }
                stack.push((child, next));
                let exact = index.exact(child);
                if exact.is_empty() {
                    continue;
                }
                let stops = self.may_stop(next);
                for rank in exact {
                    match model.standing(rank) {
                        Standing::Anywhere if stops || self.goes_on(rank, next, model, index) => {
                            passing.anywhere.insert(index.id(rank));
                        }
                        Standing::Alone if stops => passing.alone.push(index.id(rank)),
                        _ => {}
                    }
                }
            }
        }
        for &(byte, rank) in model.apart() {
            let next = self.open.step_apart(state, byte);
            let goes_on = next != IMPOSSIBLE
                && (self.may_stop(next) || self.open.is_inside(next) || self.goes_on(rank, next, model, index));
            if goes_on {
                passing.anywhere.insert(index.id(rank));
            }
        }
        let passing = Arc::new(passing);
        self.passing.insert(state, passing.clone());
        passing
    }

    /// Whether some tokens can follow a token in its piece until the piece may end.
    fn goes_on(&mut self, rank: u32, state: OpenState, model: &PieceModel, index: &Index) -> bool {
        let mut tried = vec![(rank, state)];
        let mut at = 0;
        let found = loop {
            let Some(&(rank, state)) = tried.get(at) else { break false };
            at += 1;
            match self.goes_on.get(&(rank, state)) {
                Some(true) => break true,
                Some(false) => continue,
                None => {}
            }
            if self.next_stops(rank, state, model, index, &mut tried) {
                break true;
            }
        };
        if found {
            self.goes_on.insert((rank, state), true);
        } else {
            self.goes_on.extend(tried.into_iter().map(|key| (key, false)));
        }
        found
    }

    /// Whether a token can follow in the piece behind which the piece may end. Tokens that lead further are added to
    /// `tried`.
    fn next_stops(
        &mut self,
        rank: u32,
        state: OpenState,
        model: &PieceModel,
        index: &Index,
        tried: &mut Vec<(u32, OpenState)>,
    ) -> bool {
        for &(byte, follower) in model.apart() {
            let next = self.open.step_apart(state, byte);
            if next == IMPOSSIBLE {
                continue;
            }
            if self.may_stop(next) || self.open.is_inside(next) {
                return true;
            }
            if !tried.contains(&(follower, next)) {
                tried.push((follower, next));
            }
        }
        let excluded = model.cannot_follow(index.id(rank), index);
        let mut stack = vec![(ROOT, state)];
        while let Some((prefix, state)) = stack.pop() {
            for (byte, child) in index.children(prefix) {
                let next = self.open.step(state, byte);
                if next == IMPOSSIBLE {
                    continue;
                }
                stack.push((child, next));
                let mut follows = index
                    .exact(child)
                    .filter(|&rank| model.standing(rank) == Standing::Anywhere && !excluded.contains(index.id(rank)));
                let Some(follower) = follows.next() else { continue };
                if self.may_stop(next) {
                    return true;
                }
                if !tried.contains(&(follower, next)) {
                    tried.push((follower, next));
                }
            }
        }
        false
    }
}
