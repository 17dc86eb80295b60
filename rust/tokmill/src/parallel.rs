//! Parallelism as an argument: an ordered map over scoped threads, and nothing that outlives a call.
//!
//! No pool and no global state, so nothing breaks after `fork`; a spawn costs tens of microseconds, so work below
//! [`BYTES_PER_THREAD`] a thread runs inline.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Work of fewer bytes than this does not repay a thread of its own.
pub const BYTES_PER_THREAD: usize = 256 * 1024;
/// Bytes of a part of the work of several threads.
const PART_BYTES: usize = 128 * 1024;

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

/// Into how many parts to cut so many bytes: enough that a thread that is held up is helped out, and so large that what
/// is made of a part lies in the caches when it is joined to the rest.
pub fn parts_for(bytes: usize, threads: usize) -> usize {
    if threads == 1 { 1 } else { (bytes / PART_BYTES).max(8 * threads) }
}

/// Does `work` on items, on the calling thread with its own state and on `threads - 1` others with those that `lend` calls
/// back with. What is made of an item is handed to `join` in the items' order, as soon as all before it are, by
/// whichever thread is there; so it is copied while it is in that thread's caches, and its memory is used again. `join` has
/// to leave what it is handed as good as new.
pub fn in_order<T: Clone + Sync, S, R: Default + Send>(
    items: &[T],
    threads: usize,
    state: &mut S,
    lend: impl Fn(&mut dyn FnMut(&mut S)) + Sync,
    work: impl Fn(T, &mut S, &mut R) + Sync,
    join: impl FnMut(&mut R, &mut S) + Send,
) {
    let threads = threads.min(items.len()).max(1);
    let queue = AtomicUsize::new(0);
    let line = Mutex::new(Line { next: 0, early: BTreeMap::new(), spare: Vec::new(), join });
    let run = |state: &mut S| {
        let mut made = R::default();
        loop {
            let index = queue.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            work(item.clone(), state, &mut made);
            // Where `join` has panicked on another thread, that panic is the one to be passed on.
            let Ok(mut line) = line.lock() else { return };
            line.take(index, &mut made, state);
        }
    };
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(|| lend(&mut |state| run(state)))).collect();
        run(state);
        for helper in helpers {
            if let Err(panic) = helper.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Where results wait for those before them.
struct Line<R, J> {
    /// The first one that is not there yet.
    next: usize,
    early: BTreeMap<usize, R>,
    /// Those that are done with.
    spare: Vec<R>,
    join: J,
}

impl<R: Default, J> Line<R, J> {
    /// Takes the result of one item, and leaves one that is as good as new in its place.
    fn take<S>(&mut self, index: usize, made: &mut R, state: &mut S)
    where
        J: FnMut(&mut R, &mut S),
    {
        if index != self.next {
            let spare = self.spare.pop().unwrap_or_default();
            self.early.insert(index, std::mem::replace(made, spare));
            return;
        }
        (self.join)(made, state);
        self.next += 1;
        while let Some(mut made) = self.early.remove(&self.next) {
            (self.join)(&mut made, state);
            self.next += 1;
            self.spare.push(made);
        }
    }
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_are_joined_in_order_whoever_makes_them() {
        for (len, threads) in [(0, 1), (1, 4), (2, 2), (9, 1), (9, 2), (100, 3), (1000, 8)] {
            let items: Vec<usize> = (0..len).collect();
            let (mut all, mut mine) = (Vec::new(), 0_usize);
            let lend = |run: &mut dyn FnMut(&mut usize)| run(&mut 0);
            let work = |item: usize, done: &mut usize, part: &mut Vec<usize>| {
                *done += 1;
                part.extend([item; 3]);
                // Some items take far longer than others.
                thread::sleep(Duration::from_micros([0, 0, 0, 0, 20, 0, 3000][item % 7] * u64::from(item < 50)));
            };
            in_order(&items, threads, &mut mine, lend, work, |part, _| all.append(part));
            let expected: Vec<usize> = (0..len).flat_map(|item| [item; 3]).collect();
            assert_eq!(all, expected, "{len} items, {threads} threads");
            assert!(threads > 1 || mine == len, "{mine} of {len}");
        }
    }

    #[test]
    fn a_panic_of_any_thread_is_passed_on() {
        let items: Vec<usize> = (0..10).collect();
        for bad in [0, 5, 9] {
            let failing = |work_fails: bool| {
                std::panic::catch_unwind(|| {
                    let mut joined = 0;
                    let work = |item: usize, (): &mut (), part: &mut usize| {
                        *part = item;
                        assert!(!work_fails || item != bad, "no work on {bad}");
                    };
                    let join = |part: &mut usize, (): &mut ()| {
                        assert!(work_fails || *part != bad, "no joining of {bad}");
                        joined += 1;
                    };
                    in_order(&items, 3, &mut (), |run| run(&mut ()), work, join);
                })
            };
            assert!(failing(true).is_err() && failing(false).is_err());
        }
    }

    #[test]
    fn both_results_come_back() {
        assert_eq!(both(true, || 1, || 2), (1, 2));
        assert_eq!(both(false, || 1, || 2), (1, 2));
    }
}
