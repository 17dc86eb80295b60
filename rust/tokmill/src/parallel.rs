//! Parallelism as an argument: an ordered map over scoped threads, and nothing that outlives a call.
//!
//! No pool and no global state, so nothing breaks after `fork`; a spawn costs tens of microseconds, so work below
//! [`BYTES_PER_THREAD`] a thread runs inline.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;
use std::thread;

/// Work of fewer bytes than this does not repay a thread of its own.
pub const BYTES_PER_THREAD: usize = 256 * 1024;

/// How many threads to use for `bytes` of input: what was asked for, else the available cores, and never more than
/// one for each [`BYTES_PER_THREAD`].
pub fn threads_for(bytes: usize, requested: Option<usize>) -> usize {
    let worthwhile = bytes / BYTES_PER_THREAD;
    if worthwhile <= 1 {
        // Asking the system for its cores takes longer than encoding a few texts.
        return 1;
    }
    let available = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    requested.unwrap_or_else(available).clamp(1, worthwhile)
}

/// Applies `work` to every item on at most `threads` threads and returns the results in the items' order.
///
/// Items are handed out one at a time, so they may differ in cost. A panic in `work` is passed on to the caller.
pub fn map<T: Send, R: Send>(items: Vec<T>, threads: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.into_iter().map(work).collect();
    }
    let count = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let run = || {
        let mut done = Vec::new();
        loop {
            // The lock is not held while working, so it can only be poisoned by the iterator, which cannot panic.
            let next = queue.lock().expect("the queue's iterator does not panic").next();
            match next {
                Some((index, item)) => done.push((index, work(item))),
                None => return done,
            }
        }
    };
    let mut results: Vec<Option<R>> = std::iter::repeat_with(|| None).take(count).collect();
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for helper in helpers {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        for (index, result) in done {
            results[index] = Some(result);
        }
    });
    results.into_iter().map(|result| result.expect("every index was handed out once")).collect()
}

/// Cuts `weights.len()` items into at most `parts` runs of about equal weight, in order.
pub fn balanced(weights: impl ExactSizeIterator<Item = usize> + Clone, parts: usize) -> Vec<Range<usize>> {
    let total: usize = weights.clone().sum();
    let count = weights.len();
    let share = total.div_ceil(parts.max(1)).max(1);
    let mut runs = Vec::with_capacity(parts);
    let (mut begin, mut weight) = (0, 0);
    for (index, item) in weights.enumerate() {
        weight += item;
        if weight >= share {
            runs.push(begin..index + 1);
            begin = index + 1;
            weight = 0;
        }
    }
    if begin < count {
        runs.push(begin..count);
    }
    runs
}
