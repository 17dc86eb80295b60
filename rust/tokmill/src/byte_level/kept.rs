//! Results that are kept for the next time, the most recent of them.

use std::hash::Hash;

use hashbrown::HashMap;

/// A map that forgets: once it is half full, what was not asked for since it was half full the last time goes.
#[derive(Debug)]
pub(super) struct Kept<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// A map of at most so many results.
    pub(super) fn new(most: usize) -> Self {
        Self { half: most / 2, young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_recent_are_kept() {
        let mut kept = Kept::new(8);
        for number in 0..100 {
            kept.insert(number, -number);
            assert_eq!(kept.get(&0), Some(0), "what is asked for again and again stays");
            assert_eq!(kept.get(&number), Some(-number));
        }
        let left: Vec<i32> = (1..100).filter(|number| kept.get(number).is_some()).collect();
        assert!(left.len() < 8 && left.iter().all(|&number| number > 90), "{left:?}");
    }
}
