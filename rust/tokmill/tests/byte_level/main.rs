//! Byte-level probabilities against what they must be: distributions over texts whose byte probabilities are known.

mod golden;
mod identities;
mod induced;
mod real;
mod samples;
