//! Keys of pieces: a short piece fits in one 128-bit word, and equal words are equal pieces.

/// The longest piece that a [`short_key`] holds.
pub(super) const SHORT: usize = 15;

const MASKS: [u128; SHORT + 2] = {
    let mut masks = [u128::MAX >> 8; SHORT + 2];
    let mut len = 0;
    while len <= SHORT {
        masks[len] = (1 << (8 * len)) - 1;
        len += 1;
    }
    masks
};

/// The bytes `begin..begin + len` of `text` and, in the top byte, `len`; where `len` is more than [`SHORT`], a key that no
/// short piece has.
#[inline]
pub(super) fn short_key(text: &[u8], begin: usize, len: usize) -> u128 {
    let rest = &text[begin..];
    let raw = if let Some(bytes) = rest.first_chunk() {
        u128::from_le_bytes(*bytes)
    } else {
        let mut bytes = [0; 16];
        bytes[..rest.len()].copy_from_slice(rest);
        u128::from_le_bytes(bytes)
    };
    let len = len.min(SHORT + 1);
    raw & MASKS[len] | (len as u128) << 120
}

pub(super) const FIRST: u64 = 0x9E37_79B9_7F4A_7C15;
pub(super) const SECOND: u64 = 0xD6E8_FEB8_6659_FD93;
pub(super) const THIRD: u64 = 0xA076_1D64_78BD_642F;

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Hash of a short key, 0 for a key that no short piece has: products of 64 bits, which vectors have as well, and their high halves, which depend on all bits.
#[inline]
pub(super) fn hash_short(key: u128) -> u64 {
    if key >> 120 > SHORT as u128 {
        return 0;
    }
    let both = (key as u64).wrapping_mul(FIRST) ^ ((key >> 64) as u64).wrapping_mul(SECOND);
    let mixed = (both ^ both >> 32).wrapping_mul(THIRD);
    mixed ^ mixed >> 32
}

/// The bytes that a short key was made from, and their number.
pub(super) fn bytes_of(key: u128) -> ([u8; 16], usize) {
    let bytes = key.to_le_bytes();
    (bytes, bytes[15] as usize)
}

/// Hash of a non-empty piece, by the kind of its length.
pub(super) fn hash(piece: &[u8]) -> u64 {
    if piece.len() <= SHORT { hash_short(short_key(piece, 0, piece.len())) } else { hash_long(piece) }
}

/// Hash of a piece longer than [`SHORT`]: the words at both ends, which are all of up to 32 bytes, and then the others.
#[inline]
pub(super) fn hash_long(piece: &[u8]) -> u64 {
    let (ends, last) = (piece.first_chunk::<16>(), piece.last_chunk::<16>());
    let (Some(ends), Some(last)) = (ends, last) else { unreachable!("longer than fifteen bytes") };
    let (ends, last) = (u128::from_le_bytes(*ends), u128::from_le_bytes(*last));
    let high = |word: u128| (word >> 64) as u64;
    let first = fold(ends as u64 ^ FIRST, high(ends) ^ SECOND);
    let mut state = first ^ fold(last as u64 ^ THIRD, high(last) ^ piece.len() as u64);
    if piece.len() > 32 {
        for word in piece[16..piece.len() - 8].as_chunks::<8>().0 {
            state = fold(state ^ u64::from_le_bytes(*word), SECOND);
        }
    }
    fold(state, FIRST)
}
