//! Pretokenizers against cases recorded from tokenizers (`tests/data/make_pretokenizer_cases.py` at the root).

use serde_json::Value;
use tokmill::pretokenize::{Pretokenizer, SplitBehavior, SplitPattern, Step};

const CASES: &str = include_str!("../../../tests/data/cases/pretokenizers.json");

fn behavior(value: &Value) -> SplitBehavior {
    match value.as_str().expect("a string") {
        "Removed" => SplitBehavior::Removed,
        "Isolated" => SplitBehavior::Isolated,
        "MergedWithPrevious" => SplitBehavior::MergedWithPrevious,
        "MergedWithNext" => SplitBehavior::MergedWithNext,
        "Contiguous" => SplitBehavior::Contiguous,
        other => panic!("{other}"),
    }
}

fn steps(value: &Value) -> Vec<Step> {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let flag = |name: &str| value[name].as_bool().expect("a flag");
    vec![match value["type"].as_str().expect("a string") {
        "Sequence" => return value["pretokenizers"].as_array().expect("a list").iter().flat_map(steps).collect(),
        "Split" => Step::Split {
            pattern: match &value["pattern"] {
                pattern if pattern["String"].is_string() => SplitPattern::Literal(text(&pattern["String"])),
                pattern => SplitPattern::Regex(text(&pattern["Regex"])),
            },
            behavior: behavior(&value["behavior"]),
            invert: flag("invert"),
        },
        "Punctuation" => Step::Punctuation { behavior: behavior(&value["behavior"]) },
        "Digits" => Step::Digits { individual_digits: flag("individual_digits") },
        "Whitespace" => Step::Whitespace,
        "WhitespaceSplit" => Step::WhitespaceSplit,
        "BertPreTokenizer" => Step::BertPreTokenizer,
        "UnicodeScripts" => Step::UnicodeScripts,
        "CharDelimiterSplit" => {
            Step::CharDelimiterSplit { delimiter: text(&value["delimiter"]).chars().next().expect("one character") }
        }
        "FixedLength" => Step::FixedLength { length: value["length"].as_u64().expect("a number") as usize },
        "ByteLevel" => Step::ByteLevel {
            add_prefix_space: flag("add_prefix_space"),
            trim_offsets: flag("trim_offsets"),
            use_regex: flag("use_regex"),
        },
        other => panic!("{other}"),
    }]
}

#[test]
fn every_pretokenizer_cuts_as_tokenizers_does() {
    let cases: Value = serde_json::from_str(CASES).expect("valid JSON");
    for case in cases.as_array().expect("a list") {
        let pretokenizer = Pretokenizer::staged(steps(&case["pretokenizer"])).expect("supported");
        for recorded in case["texts"].as_array().expect("a list") {
            let text = recorded[0].as_str().expect("a string");
            let cuts: Vec<usize> = recorded[1]
                .as_array()
                .expect("a list")
                .iter()
                .map(|at| at.as_u64().expect("a number") as usize)
                .collect();
            let ours: Vec<usize> =
                pretokenizer.split(text.as_bytes()).iter().flat_map(|piece| [piece.start, piece.end]).collect();
            assert_eq!(ours, cuts, "{} on {text:?}", case["pretokenizer"]);
        }
    }
}
