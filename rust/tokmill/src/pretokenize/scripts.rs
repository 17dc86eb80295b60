//! Scripts of characters as tokenizers' `UnicodeScripts` knows them: those of Unicode 9, with kana counted as Han.
//!
//! The script of a character hardly ever changes, so today's tables are used for the characters that Unicode 9 had, and
//! the four that have moved since are put back. Blanks and characters that came later have no script.

use super::chars;
use super::split::{Limit, Span};
use crate::regex::CharSet;

/// The scripts of Unicode 9 apart from kana, which go with Han.
const NAMES: &str = "\
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki \
    Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Common \
    Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Duployan Egyptian_Hieroglyphs Elbasan Ethiopic Georgian \
    Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Imperial_Aramaic Inherited \
    Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Kayah_Li Kharoshthi Khmer Khojki Khudawadi \
    Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Malayalam Mandaic Manichaean Marchen \
    Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar \
    Nabataean New_Tai_Lue Newa Nko Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian \
    Old_South_Arabian Old_Turkic Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician \
    Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sora_Sompeng \
    Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangut Telugu Thaana Thai \
    Tibetan Tifinagh Tirhuta Ugaritic Vai Warang_Citi Yi";

/// Characters whose script was another in Unicode 9, or is another to tokenizers.
const MOVED: [(u32, &str); 5] =
    [(0x0589, "Common"), (0x061C, "Common"), (0x0953, "Devanagari"), (0x0954, "Devanagari"), (0x30FC, "Han")];

/// A number for each script.
pub(crate) type Script = u8;

/// Cuts where the script changes.
#[derive(Debug)]
pub(crate) struct Scripts {
    /// First and last character and script of each run, sorted. Characters between runs have no script.
    runs: Vec<(u32, u32, Script)>,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        let mut runs = Vec::new();
        for (number, name) in NAMES.split(' ').enumerate() {
            let kana = if name == "Han" { r"\p{sc=Hiragana}\p{sc=Katakana}" } else { "" };
            let mut set = CharSet::known(&format!(r"[[\p{{sc={name}}}{kana}]&&\p{{Age=9.0}}&&[^ ]]"));
            for (c, script) in MOVED {
                let one = CharSet::of(vec![(c, c)]);
                set = if script == name { set.union(&one) } else { set.intersection(&one.negated()) };
            }
            runs.extend(set.ranges().iter().map(|&(first, last)| (first, last, number as Script)));
        }
        runs.sort_unstable();
        Self { runs }
    }

    /// First and last character and script of each run. Characters between runs have no script.
    pub(crate) fn runs(&self) -> &[(u32, u32, Script)] {
        &self.runs
    }

    /// The number of a script of Unicode 9.
    pub(crate) fn number(name: &str) -> Option<Script> {
        NAMES.split(' ').position(|other| other == name).map(|number| number as Script)
    }

    fn script_of(&self, c: u32) -> Option<Script> {
        let after = self.runs.partition_point(|&(first, ..)| first <= c);
        let &(_, last, script) = self.runs[..after].last()?;
        (c <= last).then_some(script)
    }

    /// Appends pieces as [`super::split::Split::cut`] does. Characters without a script go with what precedes them;
    /// before the first that has one they are dropped.
    pub(super) fn cut(&self, text: &[u8], from: usize, base: usize, limit: Limit, pieces: &mut Vec<Span>) -> usize {
        let mut held: Option<(usize, Script)> = None;
        let mut at = from;
        while at < text.len() {
            let (script, length) = match chars::decode(&text[at..]) {
                Some((c, length)) => (self.script_of(c), length),
                None => (None, 1),
            };
            if let Some(script) = script
                && held.is_none_or(|(_, previous)| previous != script)
            {
                if let Some((begin, _)) = held {
                    pieces.push(((begin - base) as u32, (at - base) as u32));
                }
                if pieces.len() >= limit.pieces {
                    return at;
                }
                held = Some((at, script));
            }
            at += length;
        }
        if let Some((begin, _)) = held {
            pieces.push(((begin - base) as u32, (at - base) as u32));
        }
        at
    }
}
