//! Which characters the entries of a map begin with: the places of a text that a map leaves alone, found without a walk
//! along its array.
//!
//! Most characters begin no entry, or only entries that go on with a mark that seldom follows. A table says of each
//! character whether it is an entry, or where the array goes on behind it; one look at the next byte then tells nearly
//! always that no entry begins. Printable ASCII takes no look-up at all where the map says nothing of it.

use super::offset;

/// No entry begins with the character.
const NOTHING: u32 = 0;
/// The character, or a part of it, is an entry.
const ENTRY: u32 = u32::MAX;

/// For each character what begins with it, by pages of 64 code points.
#[derive(Clone)]
pub(super) struct Heads {
    /// The page of each 64 code points; page 0 is empty.
    pages: Box<[u16]>,
    /// [`NOTHING`], [`ENTRY`], or one more than the place of the array from which longer entries go on.
    kinds: Vec<u32>,
    /// The bytes with which some longer entry goes on behind its first character.
    follow: Box<[bool; 256]>,
    /// Whether no printable character of ASCII is an entry or begins one with another character of ASCII.
    printable_stays: bool,
}

impl Heads {
    /// Reads the array of a map.
    pub(super) fn new(units: &[u32]) -> Self {
        let mut table = Self {
            pages: vec![0; 0x11_0000 / 64].into_boxed_slice(),
            kinds: vec![NOTHING; 64],
            follow: Box::new([false; 256]),
            printable_stays: false,
        };
        let root = offset(units[0]);
        for lead in 1..=0xF4 {
            let (bits, tails) = match lead {
                0x80..0xC2 => continue,
                0..0x80 => (lead, 0),
                0xC2..0xE0 => (lead & 0x1F, 1),
                0xE0..0xF0 => (lead & 0x0F, 2),
                _ => (lead & 0x07, 3),
            };
            table.fill(units, step(units, root, lead as u8), bits, tails, false);
        }
        for &head in table.kinds.iter().filter(|head| !matches!(**head, NOTHING | ENTRY)) {
            (1..=255).for_each(|next| table.follow[next as usize] |= step(units, head - 1, next).is_some());
        }
        let stays = |byte: u8| {
            let head = table.ascii_head(byte);
            head == NOTHING || head != ENTRY && (1..128).all(|next| step(units, head - 1, next).is_none())
        };
        table.printable_stays = (b' '..=b'~').all(stays);
        table
    }

    /// Notes what stands behind some first bytes of characters: `tails` more follow the `bits` read so far.
    fn fill(&mut self, units: &[u32], node: Option<(u32, bool)>, bits: u32, tails: u32, begun: bool) {
        let Some((next, is_entry)) = node else {
            if begun {
                (bits << (6 * tails)..(bits + 1) << (6 * tails)).for_each(|c| self.set(c, ENTRY));
            }
            return;
        };
        let begun = begun || is_entry;
        if tails == 0 {
            return self.set(bits, if begun { ENTRY } else { next + 1 });
        }
        for tail in 0..64 {
            self.fill(units, step(units, next, 0x80 | tail as u8), bits << 6 | tail, tails - 1, begun);
        }
    }

    fn set(&mut self, c: u32, head: u32) {
        let Some(page) = self.pages.get_mut(c as usize / 64) else { return };
        if *page == 0 {
            *page = (self.kinds.len() / 64) as u16;
            self.kinds.resize(self.kinds.len() + 64, NOTHING);
        }
        self.kinds[*page as usize * 64 + c as usize % 64] = head;
    }

    /// The characters that are an entry or begin one.
    pub(super) fn begins(&self) -> impl Iterator<Item = char> {
        let pages = (0..).zip(&self.pages).filter(|&(_, &page)| page != 0);
        pages.flat_map(|(number, &page): (u32, _)| {
            let kinds = &self.kinds[page as usize * 64..][..64];
            let found = (0..).zip(kinds).filter(|&(_, &kind)| kind != NOTHING);
            found.filter_map(move |(place, _): (u32, _)| char::from_u32(number * 64 + place))
        })
    }

    /// What begins with the character at a place of a text, and the length of that character.
    #[inline]
    fn head(&self, bytes: &[u8], at: usize) -> (u32, usize) {
        let tail = |ahead: usize| bytes.get(at + ahead).map_or(0, |byte| usize::from(byte & 0x3F));
        let lead = usize::from(bytes[at]);
        let (page, last, len) = match lead {
            0..0x80 => (lead / 64, lead % 64, 1),
            0x80..0xE0 => (lead & 0x1F, tail(1), 2),
            0xE0..0xF0 => ((lead & 0x0F) << 6 | tail(1), tail(2), 3),
            _ => ((lead & 0x07) << 12 | tail(1) << 6 | tail(2), tail(3), 4),
        };
        // Most characters are of an empty page.
        let head = match self.pages.get(page) {
            None | Some(0) => NOTHING,
            Some(&page) => self.kinds[page as usize * 64 + last],
        };
        (head, len)
    }

    /// How far no entry begins at any place of `text`. `begins` says whether one begins a text, by looking at all of it.
    pub(super) fn untouched(&self, units: &[u32], text: &str, begins: impl Fn(&str) -> bool) -> usize {
        let bytes = text.as_bytes();
        // Whether an entry begins at a place with a character that has this head and length.
        let is_entry = |at: usize, (head, len): (u32, usize)| match head {
            NOTHING => false,
            ENTRY => true,
            head => {
                let next = bytes.get(at + len).copied().unwrap_or(0);
                self.follow[next as usize] && step(units, head - 1, next).is_some() && begins(&text[at..])
            }
        };
        let mut at = 0;
        while at < bytes.len() {
            if self.printable_stays {
                let begin = at;
                at = skip_printable(bytes, at);
                let Some(&byte) = bytes.get(at) else { break };
                // What was passed over begins no entry with another character of ASCII.
                if at > begin && !byte.is_ascii() && is_entry(at - 1, (self.ascii_head(bytes[at - 1]), 1)) {
                    return at - 1;
                }
            }
            let (head, len) = self.head(bytes, at);
            if is_entry(at, (head, len)) {
                return at;
            }
            at += len;
        }
        bytes.len()
    }

    fn ascii_head(&self, byte: u8) -> u32 {
        self.kinds[self.pages[byte as usize / 64] as usize * 64 + byte as usize % 64]
    }
}

/// Where a byte leads from a place of the array, and whether an entry ends there.
#[inline]
fn step(units: &[u32], at: u32, byte: u8) -> Option<(u32, bool)> {
    let place = at ^ u32::from(byte);
    let unit = *units.get(place as usize)?;
    (unit & 0x8000_00FF == u32::from(byte)).then(|| (place ^ offset(unit), unit >> 8 & 1 == 1))
}

/// The first place from `at` on that is not printable ASCII, or less than eight bytes before the end.
#[inline]
fn skip_printable(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    while let Some(bytes) = text[at..].first_chunk() {
        let word = u64::from_le_bytes(*bytes);
        // The high bit of a byte that is outside ASCII, or DEL, or below the blank. A carry reaches only bytes behind one
        // that is set.
        let other = (word | word.wrapping_add(ONES) | !(word | HIGH).wrapping_sub(0x20 * ONES)) & HIGH;
        if other != 0 {
            return at + other.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}
