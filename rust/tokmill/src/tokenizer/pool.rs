//! A small pool of encoders, so that caches stay warm from call to call.
//!
//! A call takes whichever encoder is free and makes a fresh one where all are busy; nothing ever waits, so a process
//! forked in mid-call cannot hang on a lock that its parent's other thread held.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};

use crate::encoder::Encoder;
use crate::model::Model;

/// Memory for caches of one tokenizer, unless it is told otherwise.
pub const DEFAULT_CACHE_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Pool {
    places: Vec<Mutex<Option<Box<Encoder>>>>,
    cache_bytes: AtomicUsize,
    /// How many ids 1,024 bytes of the last long text were, [`UNKNOWN`] before the first. Only how much room is made for
    /// ids depends on it.
    density: AtomicUsize,
}

/// No density.
const UNKNOWN: usize = usize::MAX;
/// What is expected then: more than nearly any text has, as room that is not used is not touched either.
const GENEROUS: usize = 704;
/// What is expected then of a text that is so long that room alone may be too much.
const USUAL: usize = 256;
const VERY_LONG: usize = 1 << 28;

/// Texts of so many bytes tell how many ids to expect of the next.
const TELLING: usize = 1 << 16;

impl Pool {
    /// A pool for encoders of `model`, with the first one made already, so that the first text finds it warm.
    pub(super) fn new(model: &Model) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let places = std::iter::repeat_with(|| Mutex::new(None)).take(cores.min(64)).collect();
        let pool =
            Self { places, cache_bytes: AtomicUsize::new(DEFAULT_CACHE_BYTES), density: AtomicUsize::new(UNKNOWN) };
        pool.with(model, |_| ());
        pool
    }

    /// About how many ids a text has.
    pub(super) fn expected_ids(&self, bytes: usize) -> usize {
        let density = match self.density.load(Ordering::Relaxed) {
            UNKNOWN if bytes < VERY_LONG => GENEROUS,
            UNKNOWN => USUAL,
            known => known,
        };
        // A little more, since growing costs more than room that is not used.
        bytes.saturating_mul(density) / 1000 + 4
    }

    /// Takes note of how many ids a text had.
    pub(super) fn note_ids(&self, bytes: usize, ids: usize) {
        if bytes >= TELLING {
            self.density.store(ids.saturating_mul(1024) / bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn cache_bytes(&self) -> usize {
        self.cache_bytes.load(Ordering::Relaxed)
    }

    /// Sets the memory for caches and gives up encoders that are not in use; the others follow when they come back.
    pub(super) fn set_cache_bytes(&self, bytes: usize) {
        self.cache_bytes.store(bytes, Ordering::Relaxed);
        for place in &self.places {
            if let Ok(mut place) = place.try_lock() {
                *place = None;
            }
        }
    }

    /// Runs `work` with an encoder that nobody else uses meanwhile.
    pub(super) fn with<R>(&self, model: &Model, work: impl FnOnce(&mut Encoder) -> R) -> R {
        let share = self.cache_bytes() / self.places.len();
        for place in &self.places {
            let mut place = match place.try_lock() {
                Ok(place) => place,
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Poisoned(poisoned)) => {
                    // A panic may have left the encoder half way; a fresh one takes its place.
                    let mut place = poisoned.into_inner();
                    *place = None;
                    place
                }
            };
            let encoder = place.get_or_insert_with(|| Box::new(Encoder::new(model, share)));
            if encoder.table_bytes() != share {
                **encoder = Encoder::new(model, share);
            }
            return work(encoder);
        }
        work(&mut Encoder::new(model, share))
    }
}
