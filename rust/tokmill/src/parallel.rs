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

/// Does both, the second on a thread of its own where `worthwhile` and there is more than one core.
pub fn both<A, B: Send>(worthwhile: bool, a: impl FnOnce() -> A, b: impl FnOnce() -> B + Send) -> (A, B) {
    if !worthwhile || thread::available_parallelism().map_or(1, NonZeroUsize::get) < 2 {
        return (a(), b());
    }
    thread::scope(|scope| {
        let b = scope.spawn(b);
        let a = a();
        match b.join() {
            Ok(b) => (a, b),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Works on items from both ends: the calling thread does `front` with the first ones, in order, and `threads - 1` others
/// do `back` with the last ones, until they meet. Returns what `back` made, in the items' order.
///
/// The calling thread can so put all of its results in one place; only those of the others have to be joined to it.
pub fn from_both_ends<T: Send, R: Send>(
    items: Vec<T>,
    threads: usize,
    mut front: impl FnMut(T),
    back: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let helpers = threads.min(items.len()).saturating_sub(1);
    let queue = Mutex::new(items.into_iter().enumerate());
    // The lock is not held while working, so it can only be poisoned by the iterator, which cannot panic.
    let take = |last: bool| {
        let mut queue = queue.lock().expect("the queue's iterator does not panic");
        if last { queue.next_back() } else { queue.next() }
    };
    let run_back = || {
        let mut done = Vec::new();
        while let Some((index, item)) = take(true) {
            done.push((index, back(item)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(run_back)).collect();
        while let Some((_, item)) = take(false) {
            front(item);
        }
        let mut done = Vec::new();
        for helper in helpers {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|&(index, _)| index);
    done.into_iter().map(|(_, result)| result).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_meet_wherever_threads_stand() {
        for (len, threads) in [(0, 1), (1, 4), (2, 2), (9, 1), (9, 2), (100, 3), (3, 8)] {
            let mut all = Vec::new();
            let others = from_both_ends((0..len).collect(), threads, |item: i32| all.push(item), |item| item);
            all.extend(others);
            assert_eq!(all, (0..len).collect::<Vec<_>>(), "{len} items, {threads} threads");
        }
        assert_eq!(both(true, || 1, || 2), (1, 2));
        assert_eq!(both(false, || 1, || 2), (1, 2));
    }
}
