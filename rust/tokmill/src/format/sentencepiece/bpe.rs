//! The BPE models of sentencepiece, which have scores and no merges.
//!
//! The library merges whatever neighbours form a piece, the one of highest score first, the leftmost of equal ones. Where
//! no two pieces have the same score this is a list of merges: for each piece, in order of score, every way to put it
//! together from two others. What that leaves out is refused: pieces of equal score, which are merged from left to
//! right whatever they are, symbols of the user's, pieces that are split again, and characters that are no piece of
//! their own but part of one.

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::model::{Bpe, BpeOptions};
use crate::pieces::{Piece, PieceKind};
use crate::vocab::{Spelling, Vocab};

/// The model of a list of pieces; `escaped` says that texts come with `▁` for blanks.
pub(super) fn model(pieces: &[Piece], byte_fallback: bool, escaped: bool) -> Result<Bpe> {
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
    Bpe::new(vocab, merges(pieces)?, options)
}

/// Every way to put a piece together from two others, the pieces in order of score.
fn merges(pieces: &[Piece]) -> Result<Vec<Merge>> {
    let mut normal: Vec<u32> = (0..).zip(pieces).filter(|(_, piece)| is_normal(piece)).map(|(id, _)| id).collect();
    let ids: HashMap<&str, u32> = normal.iter().map(|&id| (pieces[id as usize].text.as_str(), id)).collect();
    let score = |id: u32| pieces[id as usize].score;
    normal.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    let mut merges = Vec::new();
    let mut previous: Option<u32> = None;
    for result in normal {
        let text = pieces[result as usize].text.as_str();
        let cuts = text.char_indices().skip(1).map(|(cut, _)| text.split_at(cut));
        let before = merges.len();
        merges.extend(
            cuts.filter_map(|(left, right)| Some(Merge { left: *ids.get(left)?, right: *ids.get(right)?, result })),
        );
        if merges.len() > before {
            if let Some(other) = previous.replace(result).filter(|&other| score(other) == score(result)) {
                let what = format!("a BPE model in which pieces {other} and {result} have the same score");
                return Err(Error::unsupported(format!("pieces[{result}]"), what));
            }
        }
    }
    Ok(merges)
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
    let mut next = 0.0;
    let products = bpe.merges().iter().map(|merge| merge.result as usize);
    for id in products.chain((0..size).filter(|&id| kinds[id] == PieceKind::Normal)) {
        if scores[id].is_none() {
            scores[id] = Some(next);
            next -= 1.0;
        }
    }
    let piece = |id: usize| Piece {
        text: vocab.spelled(id as u32).unwrap_or_default(),
        score: scores[id].unwrap_or_default(),
        kind: kinds[id],
    };
    (0..size).map(piece).collect()
}
