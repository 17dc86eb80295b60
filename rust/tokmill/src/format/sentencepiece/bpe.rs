//! The BPE models of sentencepiece, which have scores and no merges.
//!
//! The library merges whatever neighbours form a piece, the one of highest score first, the leftmost of equal ones. Where
//! no two pieces have the same score, but for runs of blanks, this is a list of merges: for each piece, in order of
//! score, every way to put it together from two others. Symbols of the user's stand apart from it. Models that are no
//! list of merges are encoded by their scores: those with other pieces of equal score, with unused pieces, which are
//! split again, and with pieces of characters that are no pieces of their own.

use hashbrown::{HashMap, HashSet};

use crate::error::Result;
use crate::merges::Merge;
use crate::model::{Bpe, BpeOptions};
use crate::pieces::{Piece, PieceKind};
use crate::vocab::{Spelling, Vocab};

/// The model of a list of pieces; `escaped` says that texts come with `▁` for blanks.
pub(crate) fn model(pieces: &[Piece], byte_fallback: bool, escaped: bool) -> Result<Bpe> {
    let is_blank = |piece: &Piece| piece.kind == PieceKind::Normal && piece.text == "\u{2581}";
    let blanks = escaped && pieces.iter().any(is_blank) && !pieces.iter().any(|piece| piece.text.contains(' '));
    let mut vocab = Vocab::with_capacity(if blanks { Spelling::Metaspace } else { Spelling::Plain }, pieces.len());
    for (id, piece) in (0..).zip(pieces) {
        if piece.kind == PieceKind::Normal || piece.text.chars().nth(1).is_some() {
            vocab.insert_spelled(id, &piece.text)?;
        } else {
            // One character that is never found in text must not become part of the alphabet.
            vocab.insert_shadowed(id, &piece.text)?;
        }
    }
    let unknown = pieces.iter().find(|piece| piece.kind == PieceKind::Unknown);
    let options = BpeOptions {
        unk_token: unknown.map(|piece| piece.text.clone()),
        fuse_unk: !byte_fallback,
        byte_fallback,
        ..BpeOptions::default()
    };
    let (merges, ranks) = merges(pieces);
    if !is_list_of_merges(pieces) || has_ties(pieces, &merges, &ranks, blanks) {
        return Bpe::by_scores(vocab, pieces, options);
    }
    let symbols = (0..).zip(pieces).filter(|(_, piece)| piece.kind == PieceKind::UserDefined).map(|(id, _)| id);
    Bpe::with_ranks(vocab, merges, &ranks, options)?.with_symbols(symbols.collect())
}

/// Whether pieces are put together from pieces only, and none is split again.
fn is_list_of_merges(pieces: &[Piece]) -> bool {
    let normal = || pieces.iter().filter(|piece| is_normal(piece));
    let known: HashSet<&str> = normal().map(|piece| piece.text.as_str()).collect();
    let is_known = |c: char| known.contains(&*c.encode_utf8(&mut [0; 4]));
    let unused = pieces.iter().any(|piece| piece.kind == PieceKind::Unused);
    !unused && normal().all(|piece| piece.text.chars().all(is_known))
}

/// Whether pieces that merge have equal scores, other than runs of blanks.
fn has_ties(pieces: &[Piece], merges: &[Merge], ranks: &[u32], blanks: bool) -> bool {
    let is_run = |id: u32| blanks && pieces[id as usize].text.contains("\u{2581}\u{2581}");
    merges.windows(2).zip(ranks.windows(2)).any(|(pair, ranks)| {
        let [one, other] = [pair[0].result, pair[1].result];
        ranks[0] == ranks[1] && one != other && !(is_run(one) && is_run(other))
    })
}

/// Every way to put a piece together from two others, the pieces in order of score, and the rank of each.
fn merges(pieces: &[Piece]) -> (Vec<Merge>, Vec<u32>) {
    let mut normal: Vec<u32> = (0..).zip(pieces).filter(|(_, piece)| is_normal(piece)).map(|(id, _)| id).collect();
    let ids: HashMap<&str, u32> = normal.iter().map(|&id| (pieces[id as usize].text.as_str(), id)).collect();
    let score = |id: u32| pieces[id as usize].score;
    normal.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    let (mut merges, mut ranks) = (Vec::new(), Vec::new());
    let mut previous: Option<f64> = None;
    let mut rank = 0;
    for result in normal {
        let text = pieces[result as usize].text.as_str();
        let cuts = text.char_indices().skip(1).map(|(cut, _)| text.split_at(cut));
        merges.extend(
            cuts.filter_map(|(left, right)| Some(Merge { left: *ids.get(left)?, right: *ids.get(right)?, result })),
        );
        if merges.len() > ranks.len() {
            rank += u32::from(previous.is_some_and(|previous| previous.total_cmp(&score(result)).is_ne()));
            previous = Some(score(result));
            ranks.resize(merges.len(), rank);
        }
    }
    (merges, ranks)
}

fn is_normal(piece: &Piece) -> bool {
    piece.kind == PieceKind::Normal
}

/// Pieces for a model, with scores in the order of its merges; what is no merge's product follows in order of id.
pub(super) fn pieces(bpe: &Bpe, kinds: &[PieceKind]) -> Vec<Piece> {
    let vocab = bpe.vocab();
    if let Some(scores) = bpe.scores() {
        let piece = |((id, &score), &kind)| Piece { text: vocab.spelled(id).unwrap_or_default(), score, kind };
        return (0..).zip(scores).zip(kinds).map(piece).collect();
    }
    let size = vocab.size().min(kinds.len());
    let mut scores = vec![None; size];
    let mut next = 0;
    for (place, merge) in bpe.merges().iter().enumerate() {
        scores[merge.result as usize].get_or_insert(bpe.rank(place));
        next = bpe.rank(place) + 1;
    }
    for id in (0..size).filter(|&id| kinds[id] == PieceKind::Normal) {
        scores[id].get_or_insert_with(|| {
            next += 1;
            next
        });
    }
    let piece = |id: usize| Piece {
        text: vocab.spelled(id as u32).unwrap_or_default(),
        score: -f64::from(scores[id].unwrap_or_default()),
        kind: kinds[id],
    };
    (0..size).map(piece).collect()
}
