//! Post-processing: special tokens around a sequence or a pair, and the trimming of offsets.

/// A post-processor of tokenizer.json. Names and options are those of tokenizers' JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostProcessor {
    /// Leaves the ids alone; takes white space out of the offsets where `trim_offsets`.
    ByteLevel {
        /// Keep one leading blank in the first token's offsets.
        add_prefix_space: bool,
        /// Take leading and trailing white space out of the offsets.
        trim_offsets: bool,
        /// Kept for the file.
        use_regex: bool,
    },
    /// Special tokens around one sequence or a pair.
    Template(Template),
    /// One after the other.
    Sequence(Vec<PostProcessor>),
}

/// Where special tokens go (tokenizers' `TemplateProcessing`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Layout for one sequence.
    pub single: Vec<TemplatePiece>,
    /// Layout for a pair.
    pub pair: Vec<TemplatePiece>,
    /// The special tokens that the layouts name, in the file's order.
    pub special_tokens: Vec<TemplateSpecial>,
}

/// One place of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePiece {
    /// The first (`A`) or the second sequence.
    Sequence {
        /// Whether this is the second sequence.
        second: bool,
        /// Type id of its tokens.
        type_id: u32,
    },
    /// A special token, by its name in [`Template::special_tokens`].
    Special {
        /// The name.
        name: String,
        /// Type id of its tokens.
        type_id: u32,
    },
}

/// A special token of a template; it may stand for several ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSpecial {
    /// Its name.
    pub name: String,
    /// Its ids.
    pub ids: Vec<u32>,
    /// How the ids are written.
    pub tokens: Vec<String>,
}
