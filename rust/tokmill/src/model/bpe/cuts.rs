//! Safe cuts: places where no merge can ever cross, whatever the merges are.
//!
//! If two bytes stand side by side in no entry of the vocabulary, no token can hold both, so a piece may be cut
//! between them and the parts encoded apart. Where there are no or few pretokens (`SuperBPE`, binary BPE) this turns
//! pieces of thousands of bytes into pieces of some twenty, which can be cached.

use crate::vocab::Vocab;

/// The set of byte pairs that stand side by side inside some entry.
#[derive(Clone, Debug)]
pub struct SafeCuts {
    /// Bit `right` of row `left`.
    adjacent: Box<[[u64; 4]; 256]>,
}

impl SafeCuts {
    /// Reads all entries, also those that merging cannot reach. Where merging begins with characters, no cut is inside
    /// of one.
    pub fn new(vocab: &Vocab, of_chars: bool) -> Self {
        let mut adjacent = Box::new([[0; 4]; 256]);
        for (_, key) in vocab.iter() {
            for pair in key.windows(2) {
                adjacent[pair[0] as usize][pair[1] as usize / 64] |= 1 << (pair[1] % 64);
            }
        }
        if of_chars {
            adjacent.iter_mut().for_each(|row| row[2] = u64::MAX);
        }
        Self { adjacent }
    }

    /// Whether a cut between these two bytes is safe.
    #[inline]
    pub fn between(&self, left: u8, right: u8) -> bool {
        self.adjacent[left as usize][right as usize / 64] >> (right % 64) & 1 == 0
    }

    /// The end of the first part of `piece`, which is not empty: the first safe cut, or the end of the piece.
    #[inline]
    pub fn first_part(&self, piece: &[u8]) -> usize {
        piece.windows(2).position(|pair| self.between(pair[0], pair[1])).map_or(piece.len(), |at| at + 1)
    }

    /// Appends parts of `piece` from byte `from`, which begins one, to `parts`, with positions relative to `base` bytes
    /// before the piece. Returns where the next part begins. Looks about a thousand bytes far, further where these hold no
    /// cut; a part is as long as it has to be.
    pub fn append_parts(&self, piece: &[u8], from: usize, base: u32, parts: &mut Vec<(u32, u32)>) -> usize {
        let reach = piece.len().min(from + SCAN);
        let mut found = [0; SCAN];
        let mut count = 0;
        for (ahead, pair) in (1u16..).zip(piece[from..reach].windows(2)) {
            // Written so that it compiles to no branch: where the cuts are is not predictable.
            found[count] = ahead;
            count += usize::from(self.between(pair[0], pair[1]));
        }
        let mut begin = from as u32;
        for &ahead in &found[..count] {
            let at = from as u32 + u32::from(ahead);
            parts.push((base + begin, base + at));
            begin = at;
        }
        if reach == piece.len() || begin as usize == from {
            let end = begin as usize + self.first_part(&piece[begin as usize..]);
            parts.push((base + begin, base + end as u32));
            return end;
        }
        begin as usize
    }
}

/// Bytes that are looked through at once; few, as as many places are cleared each time.
const SCAN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Spelling;

    #[test]
    fn parts_are_those_between_the_cuts() {
        let mut vocab = Vocab::new(Spelling::Plain);
        for (id, entry) in ["ab", "bc", " a", "aa"].iter().enumerate() {
            vocab.insert(id as u32, entry.as_bytes()).unwrap();
        }
        let cuts = SafeCuts::new(&vocab, true);
        for text in ["", "a", "ab", "ba", "aab bcé éa", &"a".repeat(9000), &"ab ".repeat(5000), &"ba".repeat(3000)] {
            let mut expected = Vec::new();
            let mut at = 0;
            while at < text.len() {
                let end = at + cuts.first_part(&text.as_bytes()[at..]);
                assert!(text.is_char_boundary(end));
                expected.push((at as u32 + 3, end as u32 + 3));
                at = end;
            }
            let (mut parts, mut from) = (Vec::new(), 0);
            while from < text.len() {
                from = cuts.append_parts(text.as_bytes(), from, 3, &mut parts);
            }
            assert_eq!(parts, expected);
        }
    }
}
