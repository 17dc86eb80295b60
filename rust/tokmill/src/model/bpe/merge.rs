//! Merging: from the bytes of a piece to symbols.

use super::heap::Heap;
use super::small::Small;
use super::symbols::Symbols;
use super::window::Window;

/// Atoms by which the encoding of a long piece advances: a chunk and a few tokens before it fit in [`Small`].
const CHUNK: usize = 40;

/// The same behind a token that is itself as long as a chunk: runs of one character, which a [`Window`] merges in a few
/// passes.
const LONG_CHUNK: usize = 1024;

/// When a chunk and the tokens it disturbs grow beyond this, the piece is left to the heap.
const WINDOW: usize = 4096;

/// What merging begins with: a byte, which is its own symbol, or a symbol.
pub(super) trait Atom: Copy {
    /// Its symbol.
    fn symbol(self) -> u32;
}

impl Atom for u8 {
    fn symbol(self) -> u32 {
        self.into()
    }
}

impl Atom for u32 {
    fn symbol(self) -> u32 {
        self
    }
}

/// Reusable memory for merging.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    small: Small,
    window: Window,
    pub(super) heap: Heap,
    /// Symbols of the chunk being encoded.
    chunk: Vec<u32>,
}

impl Scratch {
    /// Appends the symbols that the atoms of a piece, which all have entries, merge into to `out`, which is empty.
    /// `text` is the piece.
    pub(super) fn encode<A: Atom>(&mut self, symbols: &Symbols, text: &[u8], piece: &[A], out: &mut Vec<u32>) {
        if piece.len() <= Small::MAX {
            self.small.encode(symbols, piece, out);
        } else if !symbols.ordered_in(text) || !self.encode_in_chunks(symbols, piece, out) {
            out.clear();
            out.extend(self.heap.encode(symbols, piece.iter().map(|atom| atom.symbol())));
        }
    }

    /// Encodes chunk by chunk. Two encodings side by side are the encoding of the whole where their border tokens are
    /// separable; where they are not, the tokens before the border are taken back one by one and encoded again with
    /// the chunk. Gives `false` where that reaches too far back.
    fn encode_in_chunks<A: Atom>(&mut self, symbols: &Symbols, piece: &[A], out: &mut Vec<u32>) -> bool {
        let mut done = 0;
        while done < piece.len() {
            let in_run = out.last().is_some_and(|&last| symbols.len(last) >= CHUNK / 2);
            let end = (done + if in_run { LONG_CHUNK } else { CHUNK }).min(piece.len());
            let mut begin = done;
            loop {
                self.chunk.clear();
                if end - begin <= Small::MAX {
                    self.small.encode(symbols, &piece[begin..end], &mut self.chunk);
                } else {
                    self.window.encode(symbols, &piece[begin..end], &mut self.chunk);
                }
                match out.last() {
                    Some(&last) if !symbols.separable(last, self.chunk[0]) => {
                        out.pop();
                        begin -= symbols.len(last);
                    }
                    _ => break,
                }
                if end - begin > WINDOW {
                    return false;
                }
            }
            out.extend_from_slice(&self.chunk);
            done = end;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::alphabet::Alphabet;
    use super::*;
    use crate::merges::Merge;
    use crate::vocab::{Spelling, Vocab};

    /// A vocabulary of the 256 bytes and random products over a small alphabet, in an order that respects or ignores
    /// how the products build on each other.
    fn random_symbols(seed: u64, shuffled: bool) -> (Symbols, Vec<Merge>) {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut vocab = Vocab::new(Spelling::ByteLevel);
        for byte in 0..=255 {
            vocab.insert(byte.into(), &[byte]).unwrap();
        }
        let mut known: Vec<u32> = b"abc".iter().map(|&byte| byte.into()).collect();
        let mut merges: Vec<Merge> = Vec::new();
        for _ in 0..24 {
            let (left, right) = (known[random(known.len())], known[random(known.len())]);
            let key = [vocab.key(left).unwrap(), vocab.key(right).unwrap()].concat();
            let result = vocab.id(&key).unwrap_or(vocab.size() as u32);
            if vocab.id(&key).is_none() {
                vocab.insert(result, &key).unwrap();
                known.push(result);
            }
            if !merges.iter().any(|merge| (merge.left, merge.right) == (left, right)) {
                merges.push(Merge { left, right, result });
            }
        }
        if shuffled {
            for index in (1..merges.len()).rev() {
                merges.swap(index, random(index + 1));
            }
        }
        (Symbols::from_merges(&vocab, &merges, &Alphabet::new(&vocab, None)).unwrap(), merges)
    }

    /// The definition: the listed pair of lowest rank, leftmost, again and again.
    fn by_definition(merges: &[Merge], bytes: &[u8]) -> Vec<u32> {
        let mut ids: Vec<u32> = bytes.iter().map(|&byte| byte.into()).collect();
        while let Some((_, at, result)) = ids
            .windows(2)
            .enumerate()
            .filter_map(|(at, pair)| {
                let rank = merges.iter().position(|merge| (merge.left, merge.right) == (pair[0], pair[1]))?;
                Some((rank, at, merges[rank].result))
            })
            .min()
        {
            ids.splice(at..at + 2, [result]);
        }
        ids
    }

    #[test]
    fn every_way_of_merging_follows_the_definition() {
        for seed in 0..400 {
            let (symbols, merges) = random_symbols(seed, seed % 4 == 3);
            let longest = if seed % 40 < 4 { 2500 } else { 300 };
            for length in [1, 2, 3, 5, 9, 17, 40, 64, 65, 130, longest] {
                let text: Vec<u8> = (0..length)
                    .map(|at| b"abc"[(seed as usize * 31 + at * at * 7 + at / 3) % (2 + seed as usize % 2)])
                    .collect();
                let expected = by_definition(&merges, &text);
                let mut scratch = Scratch::default();
                let ids = |found: &[u32]| found.iter().map(|&symbol| symbols.id(symbol)).collect::<Vec<_>>();
                let mut found = Vec::new();
                scratch.encode(&symbols, &text, &text, &mut found);
                assert_eq!(ids(&found), expected, "seed {seed}, length {length}");
                found.clear();
                found.extend(scratch.heap.encode(&symbols, text.iter().map(|&byte| byte.into())));
                assert_eq!(ids(&found), expected, "heap, seed {seed}, length {length}");
            }
        }
    }
}
