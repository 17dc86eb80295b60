//! The words of a text that a few bytes of ASCII stand between, each laid out behind one blank, as models that read
//! blanks want them.
//!
//! The text is copied with a blank for each separator, 64 bytes at a time where the processor can: masks over the bytes
//! say where words begin and end, and are turned into lists of positions without a branch.

/// What stands between words.
#[derive(Clone, Debug)]
pub struct Spacing {
    is_separator: Box<[bool; 256]>,
    /// The separators, at most four of them, the last one perhaps several times.
    separators: [u8; 4],
    /// First bytes of words that [`Self::append`] reports.
    is_odd: Box<[bool; 256]>,
}

/// Room for positions of words, kept from text to text.
#[derive(Debug, Default)]
pub struct Positions {
    begins: Vec<u32>,
    ends: Vec<u32>,
}

impl Spacing {
    /// At most four separators, which are ASCII, and what words seldom begin with, which is not.
    pub fn new(separators: &[u8], odd: impl Fn(u8) -> bool) -> Self {
        let mut four = [b' '; 4];
        for (place, &separator) in four.iter_mut().zip(separators.iter().chain(std::iter::repeat(&separators[0]))) {
            *place = separator;
        }
        Self {
            is_separator: Box::new(std::array::from_fn(|byte| separators.contains(&(byte as u8)))),
            separators: four,
            is_odd: Box::new(std::array::from_fn(|byte| byte >= 0xC0 && odd(byte as u8))),
        }
    }

    /// Whether a byte is a separator.
    #[inline]
    pub fn is_separator(&self, byte: u8) -> bool {
        self.is_separator[byte as usize]
    }

    /// Whether a word that begins with this byte is reported.
    #[inline]
    pub fn is_odd(&self, byte: u8) -> bool {
        self.is_odd[byte as usize]
    }

    /// Appends a blank and a text to `out`, with a blank for each separator, and the words to `words`, as positions in
    /// `out`, each with the blank before it. Returns whether some word begins with an odd byte. `out` stays below 4 GiB.
    pub fn append(
        &self,
        text: &[u8],
        out: &mut Vec<u8>,
        words: &mut Vec<(u32, u32)>,
        positions: &mut Positions,
    ) -> bool {
        out.push(b' ');
        #[cfg(target_arch = "x86_64")]
        if vector::is_available() {
            // SAFETY: the features are available.
            let odd = unsafe { vector::append(self, text, out, positions) };
            words.extend(positions.begins.iter().copied().zip(positions.ends.iter().copied()));
            return odd;
        }
        let _ = positions;
        self.append_portable(text, out, words)
    }

    fn append_portable(&self, text: &[u8], out: &mut Vec<u8>, words: &mut Vec<(u32, u32)>) -> bool {
        let base = out.len();
        out.extend(text.iter().map(|&byte| if self.is_separator(byte) { b' ' } else { byte }));
        let mut odd = false;
        let mut at = 0;
        while at < text.len() {
            let len = text[at..].iter().position(|&byte| self.is_separator(byte)).unwrap_or(text.len() - at);
            if len > 0 {
                odd |= self.is_odd(text[at]);
                words.push(((base + at - 1) as u32, (base + at + len) as u32));
            }
            at += len + 1;
        }
        odd
    }
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::{
        __m512i, _mm512_add_epi32, _mm512_castsi512_si128, _mm512_cmpeq_epi8_mask, _mm512_cvtepu8_epi32,
        _mm512_extracti32x4_epi32, _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_mask_storeu_epi8,
        _mm512_maskz_compress_epi8, _mm512_maskz_loadu_epi8, _mm512_movepi8_mask, _mm512_permutexvar_epi8,
        _mm512_set1_epi8, _mm512_set1_epi32, _mm512_storeu_si512,
    };

    use super::super::scan::POSITIONS;
    use super::{Positions, Spacing};

    const BLOCK: usize = POSITIONS.len();
    /// Positions that are written at a time.
    const LANES: usize = 16;

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("popcnt")
    }

    /// What [`Spacing::append_portable`] does, but that words are replaced in `positions`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]
    pub(super) fn append(spacing: &Spacing, text: &[u8], out: &mut Vec<u8>, positions: &mut Positions) -> bool {
        let base = out.len();
        out.reserve(text.len());
        let Positions { begins, ends } = positions;
        for list in [&mut *begins, &mut *ends] {
            list.clear();
            // A word takes two bytes at least, with what stands before it; whole vectors are written.
            list.reserve(text.len() / 2 + 2 + 2 * LANES);
        }
        let separators = spacing.separators.map(|byte| _mm512_set1_epi8(byte as i8));
        let blanks = _mm512_set1_epi8(b' ' as i8);
        let odd_table: [u8; BLOCK] = std::array::from_fn(|tail| u8::from(spacing.is_odd[0xC0 | tail]) << 7);
        // SAFETY: it has 64 bytes.
        let odd_table = unsafe { _mm512_loadu_si512(odd_table.as_ptr().cast()) };
        let (mut inside, mut odd) = (0, 0);
        for (number, block) in text.chunks(BLOCK).enumerate() {
            let at = number * BLOCK;
            let valid = u64::MAX >> (BLOCK - block.len());
            // SAFETY: only the bytes of the block are read.
            let bytes = unsafe { _mm512_maskz_loadu_epi8(valid, block.as_ptr().cast()) };
            let [a, b, c, d] = separators.map(|separator| _mm512_cmpeq_epi8_mask(bytes, separator));
            let between = a | b | c | d;
            let word = !between & valid;
            let behind = word << 1 | inside;
            inside = word >> (BLOCK - 1);
            // SAFETY: there is room for the text behind `base`, and only as many bytes as the block has are written.
            unsafe {
                let place = out.as_mut_ptr().add(base + at).cast();
                _mm512_mask_storeu_epi8(place, valid, _mm512_mask_blend_epi8(between, bytes, blanks));
            }
            let begun = word & !behind;
            // The six lowest bits choose; of what is chosen, only bytes beyond 0xC0 count.
            let lead = _mm512_movepi8_mask(bytes) & _mm512_movepi8_mask(_mm512_permutexvar_epi8(bytes, odd_table));
            odd |= begun & lead;
            // SAFETY: there was room for all words and two vectors more.
            unsafe {
                push(begins, begun, (base + at) as u32 - 1);
                push(ends, behind & !word, (base + at) as u32);
            }
        }
        if inside == 1 {
            ends.push((base + text.len()) as u32);
        }
        // SAFETY: all bytes of the text were written.
        unsafe { out.set_len(base + text.len()) };
        odd != 0
    }

    /// Appends the numbers of the bits of a mask, each plus `base`.
    ///
    /// # Safety
    ///
    /// There is room for two vectors behind the list.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]
    unsafe fn push(list: &mut Vec<u32>, mask: u64, base: u32) {
        let count = mask.count_ones() as usize;
        let base = _mm512_set1_epi32(base as i32);
        // SAFETY: the table has 64 bytes; the caller has made room for two vectors, and no block has more than 32 words.
        unsafe {
            let numbers: __m512i = _mm512_loadu_si512(POSITIONS.as_ptr().cast());
            let packed = _mm512_maskz_compress_epi8(mask, numbers);
            let place = list.as_mut_ptr().add(list.len());
            let first = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
            _mm512_storeu_si512(place.cast(), _mm512_add_epi32(first, base));
            if count > LANES {
                let second = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<1>(packed));
                _mm512_storeu_si512(place.add(LANES).cast(), _mm512_add_epi32(second, base));
            }
            list.set_len(list.len() + count);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_find_the_words_between_separators(
            text in "([a-zà]{0,70}[ \n]{1,3}|[a ]{1,140}|\\PC|[\u{C0}-\u{30FF}] ){0,20}",
            before in "[a-c ]{0,5}",
            three in any::<bool>(),
        ) {
            let spacing = Spacing::new(if three { b" \n\t" } else { b" " }, |byte| byte % 3 == 0);
            let is_separator = |c: char| c == ' ' || three && (c == '\n' || c == '\t');
            let (mut out, mut words) = (before.clone().into_bytes(), vec![(1, 2)]);
            let odd = spacing.append(text.as_bytes(), &mut out, &mut words, &mut Positions::default());
            let (mut slow_out, mut slow_words) = (before.into_bytes(), vec![(1, 2)]);
            let slow_odd = spacing.append_portable(text.as_bytes(), { slow_out.push(b' '); &mut slow_out }, &mut slow_words);
            prop_assert_eq!((odd, &out, &words), (slow_odd, &slow_out, &slow_words));
            let found = words[1..].iter().map(|&(begin, end)| std::str::from_utf8(&out[begin as usize..end as usize]).unwrap());
            let expected: Vec<String> =
                text.split(is_separator).filter(|word| !word.is_empty()).map(|word| format!(" {word}")).collect();
            prop_assert_eq!(found.collect::<Vec<_>>(), expected.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(odd, expected.iter().any(|word| spacing.is_odd(word.as_bytes()[1])));
        }
    }
}
