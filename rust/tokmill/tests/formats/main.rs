//! Reading and writing tokenizer files: what a file means, what it is refused for, and that no file brings the
//! reader down.

mod damage;
mod files;
mod ranks;
mod samples;
mod tokenizer_json;
