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
    /// Symbols of the part being joined.
    part: Vec<u32>,
}

/// Bytes around a border that are encoded again where parts are joined; where these are not enough, the piece is encoded
/// in another way.
const BORDER: usize = 128;

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
                self.encode_chunk(symbols, &piece[begin..end]);
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

    /// Encodes a chunk.
    fn encode_chunk<A: Atom>(&mut self, symbols: &Symbols, atoms: &[A]) {
        self.chunk.clear();
        if atoms.len() <= Small::MAX {
            self.small.encode(symbols, atoms, &mut self.chunk);
        } else {
            self.window.encode(symbols, atoms, &mut self.chunk);
        }
    }

    /// Appends the symbols of a piece to `out`, which is empty, given those of its parts. Tokens are made in order of
    /// their symbols in it.
    pub(super) fn join<P: Iterator<Item = u32>>(
        &mut self,
        symbols: &Symbols,
        piece: &[u8],
        parts: impl ExactSizeIterator<Item = P>,
        out: &mut Vec<u32>,
    ) {
        let mut repairs = 2 * parts.len();
        let mut at = 0;
        for part in parts {
            self.part.clear();
            self.part.extend(part);
            if !self.append_part(symbols, piece, at, &mut repairs, out) {
                out.clear();
                return self.encode(symbols, piece, piece, out);
            }
            at += self.part.iter().map(|&symbol| symbols.len(symbol)).sum::<usize>();
        }
    }

    /// Appends the symbols of the part that begins at byte `at`. Where its first token and the last one of `out` are not
    /// separable, both are encoded again, with more on either side until what is encoded again is separable from it:
    /// some tokens of an encoding that stand side by side are the encoding of their bytes. Gives `false` where that
    /// reaches too far or is done too often.
    fn append_part(
        &mut self,
        symbols: &Symbols,
        piece: &[u8],
        at: usize,
        repairs: &mut usize,
        out: &mut Vec<u32>,
    ) -> bool {
        let (mut begin, mut end, mut taken) = (at, at, 0);
        self.chunk.clear();
        loop {
            let separable = |pair: (Option<&u32>, Option<&u32>)| match pair {
                (Some(&left), Some(&right)) => symbols.separable(left, right),
                _ => true,
            };
            let rest = &self.part[taken..];
            let left = separable((out.last(), self.chunk.first().or(rest.first())));
            let right = separable((self.chunk.last(), rest.first()));
            if left && right {
                out.extend_from_slice(&self.chunk);
                out.extend_from_slice(rest);
                return true;
            }
            if !right || self.chunk.is_empty() {
                end += symbols.len(rest[0]);
                taken += 1;
            }
            if !left && let Some(last) = out.pop() {
                begin -= symbols.len(last);
            }
            if *repairs == 0 || end - begin > BORDER {
                return false;
            }
            *repairs -= 1;
            self.encode_chunk(symbols, &piece[begin..end]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::alphabet::Alphabet;
    use super::super::batch::Batch;
    use super::super::pairs::PairTable;
    use super::super::starts::Starts;
    use super::super::symbols::NONE;
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

    /// Symbols of a vocabulary of random products over the bytes of characters of two and three bytes, among others, so
    /// that merges cross their borders; shuffled or not.
    fn symbols_of_characters(seed: u64, shuffled: bool) -> (Vocab, Symbols, Vec<Merge>) {
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
        let mut merges: Vec<Merge> = Vec::new();
        let text = "ы в ñы世 ыв世界ñ界ы ".as_bytes();
        for _ in 0..400 {
            // Mostly neighbours in a text, as a trainer finds them, merged so far.
            let ids = by_definition(&merges, text);
            let at = random(ids.len() - 1);
            let (left, right) = (ids[at], ids[at + 1]);
            let key = [vocab.key(left).unwrap(), vocab.key(right).unwrap()].concat();
            if key.len() > 7 || vocab.id(&key).is_some() {
                continue;
            }
            let result = vocab.size() as u32;
            vocab.insert(result, &key).unwrap();
            merges.push(Merge { left, right, result });
        }
        if shuffled {
            for _ in 0..4 {
                let (a, b) = (random(merges.len()), random(merges.len()));
                merges.swap(a, b);
            }
        }
        let symbols = Symbols::from_merges(&vocab, &merges, &Alphabet::new(&vocab, None)).unwrap();
        (vocab, symbols, merges)
    }

    #[test]
    fn a_batch_of_pieces_follows_the_definition() {
        for seed in 0..60 {
            let (vocab, symbols, merges) = symbols_of_characters(seed, seed % 3 == 2);
            let starts = Starts::new(&vocab, &symbols);
            let characters = ["ы", "в", " ", "ñ", "世", "界", "\u{44b}", "a"];
            let piece = |number: usize| {
                let characters = (0..=number * 7 % 40).map(|at| characters[(at * at + number * 3 + at / 5) % 8]);
                let mut piece = characters.collect::<String>().into_bytes();
                if number.is_multiple_of(4) {
                    // Characters that are cut short are bytes.
                    piece.truncate(piece.len() - number % 3);
                    piece.drain(..number % 2);
                }
                match number % 9 {
                    // A character spelled with a byte too many, and one cut short.
                    1 => [piece, vec![0xE0, 0x83, 0xB1, 0xD1]].concat(),
                    2 => [vec![0xFF, 0xF0, 0x84, 0xB8, 0x96], piece].concat(),
                    _ => [piece, "ñ".into()].concat(),
                }
            };
            let pieces: Vec<Vec<u8>> = (0..80).map(piece).collect();
            let mut batch = Batch::default();
            let (with, without) = (Some(&starts), None);
            for (begin, first) in [(with, with), (without, with), (without, without)] {
                let taken: Vec<&Vec<u8>> = pieces.iter().filter(|piece| batch.push(begin, piece)).collect();
                assert!(taken.len() > 20);
                batch.merge(&symbols, first);
                assert_eq!(batch.len(), taken.len());
                for (number, piece) in taken.into_iter().enumerate() {
                    let ids: Vec<u32> = batch.symbols(number, 0).map(|symbol| symbols.id(symbol)).collect();
                    assert_eq!(ids, by_definition(&merges, piece), "seed {seed}: {:?}", String::from_utf8_lossy(piece));
                }
                batch.clear();
            }
        }
    }

    #[test]
    fn parts_of_long_pieces_are_joined_to_what_the_definition_says() {
        let mut parts = 0;
        for seed in 0..120 {
            let (vocab, symbols, merges) = symbols_of_characters(seed, false);
            let starts = Starts::new(&vocab, &symbols);
            let characters = ["ы", "в", " ", "ñ", "世", "界", "a", "\u{44b}"];
            let (mut batch, mut scratch) = (Batch::default(), Scratch::default());
            let pieces: Vec<String> = (0..12)
                .map(|number| {
                    let kinds = if number % 4 == 3 { 1 } else { 8 };
                    let turn = move |at: usize| (at * at + at / 7 * (seed as usize + number) + number) % kinds;
                    (0..40 + 23 * number).map(|at| characters[turn(at)]).collect()
                })
                .collect();
            for piece in &pieces {
                assert!(batch.push_parts(&starts, piece.as_bytes()));
            }
            batch.merge(&symbols, Some(&starts));
            assert_eq!(batch.text(), pieces.concat().as_bytes());
            for (number, piece) in pieces.iter().enumerate() {
                let mut found = Vec::new();
                let of_parts = (0..batch.parts(number)).map(|part| batch.symbols(number, part));
                scratch.join(&symbols, piece.as_bytes(), of_parts, &mut found);
                let ids: Vec<u32> = found.iter().map(|&symbol| symbols.id(symbol)).collect();
                assert_eq!(ids, by_definition(&merges, piece.as_bytes()), "seed {seed}: {piece}");
                parts += batch.parts(number);
            }
            assert!(!batch.push_parts(&starts, &[b'a'; 4000]));
        }
        assert!(parts > 5000, "{parts}");
    }

    #[test]
    fn many_pairs_are_found_and_no_others() {
        let mut table = PairTable::with_capacity(5000);
        let pair = |number: u32| (number * 7919 % 60_000, 256 + number * 104_729 % 60_000);
        for number in 0..5000 {
            let (left, right) = pair(number);
            table.insert(left, right, 1000 + number);
        }
        let find = |(left, right)| if table.may_merge(left, right, false) { table.find(left, right) } else { NONE };
        for number in 0..10_000 {
            let (left, right) = pair(number);
            let expected = if number < 5000 { 1000 + number } else { NONE };
            assert_eq!((find((left, right)), table.get(left, right)), (expected, expected));
        }
    }
}
