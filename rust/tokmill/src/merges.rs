//! Merges of a byte-pair encoding, in order of rank.

/// One merge: two neighbouring tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Merge {
    /// Id of the left token.
    pub left: u32,
    /// Id of the right token.
    pub right: u32,
    /// Id of the token that they become.
    pub result: u32,
}
