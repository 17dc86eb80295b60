//! Unigram as its definition has it: every segmentation of a text, and the owners' pass over it without any index.

/// Pieces and their scores; an unknown character has `unknown` and no id.
pub(crate) struct Model {
    pub(crate) pieces: Vec<(String, f64)>,
    pub(crate) unknown: f64,
}

/// A segmentation: ids, `None` for each unknown character, and its score.
pub(crate) type Segmentation = (Vec<Option<u32>>, f64);

impl Model {
    /// The parts that can begin a text: length, id and score.
    fn arcs(&self, text: &str) -> Vec<(usize, Option<u32>, f64)> {
        let width = text.chars().next().unwrap().len_utf8();
        let mut arcs: Vec<_> = (0..)
            .zip(&self.pieces)
            .filter(|(_, (piece, _))| text.starts_with(piece.as_str()))
            .map(|(id, (piece, score))| (piece.len(), Some(id), *score))
            .collect();
        arcs.sort_by_key(|&(len, ..)| len);
        if arcs.iter().all(|&(len, ..)| len != width) {
            arcs.push((width, None, self.unknown));
        }
        arcs
    }

    /// Every segmentation.
    pub(crate) fn all(&self, text: &str) -> Vec<Segmentation> {
        if text.is_empty() {
            return vec![(Vec::new(), 0.0)];
        }
        let mut all = Vec::new();
        for (len, id, score) in self.arcs(text) {
            for (mut ids, rest) in self.all(&text[len..]) {
                ids.insert(0, id);
                all.push((ids, score + rest));
            }
        }
        all
    }

    /// The best segmentation as sentencepiece finds it: in 32 bits, from left to right over the whole text, where a
    /// later way has to be strictly better, and beginning anew beyond 100,000.
    pub(crate) fn best(&self, text: &str) -> Vec<Option<u32>> {
        let mut cells: Vec<Option<(f32, usize, Option<u32>)>> = vec![None; text.len() + 1];
        cells[0] = Some((0.0, 0, None));
        for (at, _) in text.char_indices() {
            let mut score = cells[at].unwrap().0;
            if score.abs() > 100_000.0 {
                for cell in cells[at..].iter_mut().flatten() {
                    cell.0 -= score;
                }
                score = 0.0;
            }
            for (len, id, weight) in self.arcs(&text[at..]) {
                let candidate = score + weight as f32;
                if cells[at + len].is_none_or(|(best, ..)| candidate > best) {
                    cells[at + len] = Some((candidate, at, id));
                }
            }
        }
        let (mut ids, mut at) = (Vec::new(), text.len());
        while at > 0 {
            let (_, begin, id) = cells[at].unwrap();
            ids.insert(0, id);
            at = begin;
        }
        ids
    }
}
