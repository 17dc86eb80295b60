//! The floors of the crate: a module uses modules on lower floors, never on its own or above.
//!
//! The test reads the sources, so an arrow that goes up is an error with a file and a line, not a matter of review.
//! Test modules (`#[cfg(test)] mod`, `tests.rs`) may look anywhere.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of each floor, from the ground up.
const FLOORS: &[&[&str]] = &[
    // Nouns that know nothing of tokenization.
    &["error", "ragged", "parallel", "atomic_file", "memory", "chars", "random"],
    // Tables.
    &["alignment", "vocab", "merges", "lengths", "pieces", "regex", "trie"],
    // Stages of encoding and decoding.
    &["normalize", "added_tokens", "pretokenize", "model", "template", "decode"],
    // The waist.
    &["encoder", "tokenizer"],
    // The verbs, strangers to one another.
    &["train", "byte_level", "format"],
];

/// Arrows between neighbours of one floor, each with the reason why it exists.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("ragged", "error", "every module returns the one error type"),
    ("atomic_file", "error", "every module returns the one error type"),
    ("added_tokens", "normalize", "tokens marked `normalized` are matched in normalized text"),
    ("decode", "pretokenize", "a Metaspace decoder has the prepend scheme of the pretokenizer"),
    ("decode", "added_tokens", "an added token decodes to its content, whatever the model"),
    ("tokenizer", "encoder", "a tokenizer keeps a small pool of encoders"),
];

/// A mention of another module: who, whom, where.
struct Arrow {
    from: String,
    to: String,
    file: PathBuf,
    line: usize,
}

#[test]
fn arrows_go_down_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut complaints = Vec::new();
    let mut arrows = Vec::new();
    for file in rust_files(&source) {
        let from = module_of(&source, &file);
        if from == "lib" {
            continue;
        }
        if floor(&from).is_none() {
            complaints.push(format!("{}: module `{from}` has no floor; add it to FLOORS", file.display()));
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file can be read");
        arrows.extend(mentions(&text).into_iter().map(|(line, to)| Arrow {
            from: from.clone(),
            to,
            file: file.clone(),
            line,
        }));
    }
    assert!(!arrows.is_empty(), "no `crate::` path was found in {}", source.display());
    complaints.extend(arrows.iter().filter_map(complaint));
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// What is wrong with an arrow, if anything.
fn complaint(arrow: &Arrow) -> Option<String> {
    let Arrow { from, to, file, line } = arrow;
    let place = format!("{}:{line}", file.display());
    let Some(target) = floor(to) else {
        return Some(format!("{place}: `crate::{to}` is not a module with a floor; name the module that defines it"));
    };
    let origin = floor(from).expect("modules without a floor are sorted out before");
    let documented = NEIGHBOURS.iter().any(|(user, used, _)| user == from && used == to);
    let why = match target.cmp(&origin) {
        _ if from == to || documented => return None,
        std::cmp::Ordering::Less => return None,
        std::cmp::Ordering::Equal => "its neighbour",
        std::cmp::Ordering::Greater => "which is above it",
    };
    Some(format!("{place}: `{from}` (floor {origin}) uses `{to}` (floor {target}), {why}"))
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The top-level module that a file belongs to: `model` for both `model/mod.rs` and `model/bpe.rs`.
fn module_of(source: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(source).expect("the file is below the source directory");
    let first = relative.components().next().expect("a file has a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// All `.rs` files below `directory` that are not tests, in order of path.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("the source directory can be listed") {
        let path = entry.expect("a directory entry can be read").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The first segment of every `crate::` path outside comments and test modules, with its line.
fn mentions(text: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let end = code
        .windows(2)
        .position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod "))
        .unwrap_or(code.len());
    let code = code[..end].join("\n");
    let mut found = Vec::new();
    for (at, marker) in code.match_indices("crate::") {
        // `my_crate::` and `pub(crate)` are other things.
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let line = 1 + code[..at].matches('\n').count();
        found.extend(first_segments(&code[at + marker.len()..]).into_iter().map(|segment| (line, segment)));
    }
    found
}

/// `a` of `a::b`, or `a` and `c` of `{a::b, c::{d, e}}`.
fn first_segments(path: &str) -> Vec<String> {
    let segment = |part: &str| -> String {
        part.trim_start().chars().take_while(|&letter| letter.is_alphanumeric() || letter == '_').collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![segment(path)];
    };
    let mut depth = 0_usize;
    let mut start = 0;
    let mut segments = Vec::new();
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                segments.push(segment(&group[start..at]));
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    segments.retain(|name| !name.is_empty());
    segments
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let text = "use crate::{error::{Error, Result}, vocab::Vocab};\n// crate::train\nlet x = crate::merges::Merge;\n\
                #[cfg(test)]\nmod tests { use crate::format; }";
    let names: Vec<_> = mentions(text).into_iter().collect();
    let expected = [(1, "error"), (1, "vocab"), (3, "merges")].map(|(line, name)| (line, name.to_owned()));
    assert_eq!(names, expected);
}

#[test]
fn arrows_that_go_up_or_sideways_are_reported() {
    let arrow = |from: &str, to: &str| Arrow { from: from.into(), to: to.into(), file: "x.rs".into(), line: 7 };
    assert!(complaint(&arrow("tokenizer", "model")).is_none());
    assert!(complaint(&arrow("model", "model")).is_none());
    assert!(complaint(&arrow("added_tokens", "normalize")).is_none());
    for (from, to) in [("model", "decode"), ("vocab", "tokenizer"), ("train", "format"), ("model", "Tokenizer")] {
        assert!(complaint(&arrow(from, to)).is_some_and(|text| text.starts_with("x.rs:7")), "{from} -> {to}");
    }
}
