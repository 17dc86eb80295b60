//! The BPE models of sentencepiece, which have scores and no merges.
//!
//! The library merges whatever neighbours form a piece, the one of highest score first, the leftmost of equal ones. Where
//! no two pieces have the same score, but for runs of blanks, this is a list of merges: for each piece, in order of
//! score, every way to put it together from two others. What that leaves out is refused: other pieces of equal score,
//! which are merged from left to right whatever they are, symbols of the user's, pieces that are split again, and
//! characters that are no piece of their own but part of one.

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::model::{Bpe, BpeOptions};
use crate::pieces::{Piece, PieceKind};
use crate::vocab::{Spelling, Vocab};

/// The model of a list of pieces; `escaped` says that texts come with `▁` for blanks.
pub(crate) fn model(pieces: &[Piece], byte_fallback: bool, escaped: bool) -> Result<Bpe> {
    check(pieces)?;
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
    Bpe::with_ranks(vocab, merges, &ranks, options)
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
            rank += u32::from(previous.is_some_and(|previous| previous != score(result)));
            previous = Some(score(result));
            ranks.resize(merges.len(), rank);
        }
    }
    (merges, ranks)
}

fn is_normal(piece: &Piece) -> bool {
    piece.kind == PieceKind::Normal
}

fn check(pieces: &[Piece]) -> Result<()> {
    let known: HashMap<&str, ()> =
        pieces.iter().filter(|piece| is_normal(piece)).map(|piece| (piece.text.as_str(), ())).collect();
    for (id, piece) in pieces.iter().enumerate() {
        let refuse = |what: &str| Err(Error::unsupported(format!("pieces[{id}]"), format!("a BPE model with {what}")));
        match piece.kind {
            PieceKind::UserDefined => return refuse("symbols of the user's"),
            PieceKind::Unused => return refuse("unused pieces"),
            PieceKind::Normal => {
                let mut buffer = [0; 4];
                if piece.text.chars().any(|c| !known.contains_key(&*c.encode_utf8(&mut buffer))) {
                    return refuse("a piece of characters that are no pieces");
                }
            }
            PieceKind::Unknown | PieceKind::Control | PieceKind::Byte => {}
        }
    }
    Ok(())
}

/// Pieces for a model, with scores in the order of its merges; what is no merge's product follows in order of id.
pub(super) fn pieces(bpe: &Bpe, kinds: &[PieceKind]) -> Vec<Piece> {
    let vocab = bpe.vocab();
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
