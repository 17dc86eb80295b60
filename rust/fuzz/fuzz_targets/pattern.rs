//! Any pattern is refused or cuts any text into pieces that lie in order and do not overlap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokmill::pretokenize::{Pretokenizer, SplitBehavior, SplitPattern, Step};

fuzz_target!(|input: (String, &[u8])| {
    let (pattern, text) = input;
    let step = Step::Split { pattern: SplitPattern::Regex(pattern), behavior: SplitBehavior::Isolated, invert: false };
    if let Ok(pretokenizer) = Pretokenizer::new(vec![step]) {
        let mut end = 0;
        for piece in pretokenizer.split(text) {
            assert!(end <= piece.start && piece.start < piece.end && piece.end <= text.len());
            end = piece.end;
        }
    }
});
