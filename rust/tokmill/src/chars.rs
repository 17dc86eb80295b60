//! Characters of texts that need not be UTF-8.
//!
//! A byte that is not part of a valid sequence is a character of its own, so every text has one reading, the same from
//! both ends: a valid sequence begins with a byte that no other sequence contains.

/// Code point and length of the character that `bytes` begins with; `None` where its first byte is invalid.
#[inline]
pub(crate) fn decode(bytes: &[u8]) -> Option<(u32, usize)> {
    let tail = |index: usize, low: u8, high: u8| {
        bytes.get(index).copied().filter(|byte| (low..=high).contains(byte)).map(|byte| u32::from(byte & 0x3F))
    };
    let first = *bytes.first()?;
    let head = u32::from(first);
    match first {
        0x00..=0x7F => Some((head, 1)),
        0xC2..=0xDF => Some(((head & 0x1F) << 6 | tail(1, 0x80, 0xBF)?, 2)),
        0xE0..=0xEF => {
            // Neither overlong forms nor surrogates.
            let low = if first == 0xE0 { 0xA0 } else { 0x80 };
            let high = if first == 0xED { 0x9F } else { 0xBF };
            Some(((head & 0x0F) << 12 | tail(1, low, high)? << 6 | tail(2, 0x80, 0xBF)?, 3))
        }
        0xF0..=0xF4 => {
            let low = if first == 0xF0 { 0x90 } else { 0x80 };
            let high = if first == 0xF4 { 0x8F } else { 0xBF };
            let upper = (head & 0x07) << 18 | tail(1, low, high)? << 12;
            Some((upper | tail(2, 0x80, 0xBF)? << 6 | tail(3, 0x80, 0xBF)?, 4))
        }
        _ => None,
    }
}

/// Code point and length of the character that `bytes` ends with; `None` where its last byte is invalid.
pub(crate) fn decode_last(bytes: &[u8]) -> Option<(u32, usize)> {
    (1..=bytes.len().min(4))
        .find_map(|length| decode(&bytes[bytes.len() - length..]).filter(|&(_, found)| found == length))
}

/// Length of the character at `at`, which is inside of `text`.
#[inline]
pub(crate) fn length_at(text: &[u8], at: usize) -> usize {
    decode(&text[at..]).map_or(1, |(_, length)| length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_character_is_decoded() {
        for c in '\0'..=char::MAX {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            assert_eq!(decode(bytes), Some((c as u32, bytes.len())));
            assert_eq!(decode_last(bytes), Some((c as u32, bytes.len())));
        }
    }

    proptest! {
        #[test]
        fn valid_stretches_are_those_of_the_standard_library(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xE2), Just(0x82), Just(0xAC), Just(0xF0)], 0..40)
        ) {
            let mut forward = Vec::new();
            let mut at = 0;
            while at < bytes.len() {
                let length = length_at(&bytes, at);
                forward.push((at, decode(&bytes[at..]).map(|(c, _)| c)));
                at += length;
            }
            let mut backward = Vec::new();
            let mut end = bytes.len();
            while end > 0 {
                let last = decode_last(&bytes[..end]);
                end -= last.map_or(1, |(_, length)| length);
                backward.push((end, last.map(|(c, _)| c)));
            }
            backward.reverse();
            prop_assert_eq!(&forward, &backward);

            let mut expected = Vec::new();
            let mut at = 0;
            for chunk in bytes.utf8_chunks() {
                for c in chunk.valid().chars() {
                    expected.push((at, Some(c as u32)));
                    at += c.len_utf8();
                }
                for _ in chunk.invalid() {
                    expected.push((at, None));
                    at += 1;
                }
            }
            prop_assert_eq!(forward, expected);
        }
    }
}
