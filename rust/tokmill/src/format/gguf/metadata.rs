//! The metadata of a GGUF file: a list of typed keys and values before the tensors, little-endian.
//!
//! Reference: `docs/gguf.md` of ggml, versions 2 and 3.

use hashbrown::HashMap;

use crate::error::{Error, Result};

/// A value of the metadata. Integers and floats of all widths are one kind each.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'b> {
    Integer(i64),
    Float(f64),
    Boolean(bool),
    String(&'b str),
    Strings(Vec<&'b str>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Bytes(&'b [u8]),
    /// A list of another kind, which no tokenizer has.
    Other,
}

/// The metadata of a file by key.
pub(super) struct Metadata<'b> {
    values: HashMap<&'b str, Value<'b>>,
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, len: u64) -> Result<&'b [u8]> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| Error::format(format!("byte {}", self.at), "the GGUF file ends too early"))?;
        self.at += taken.len();
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(*self.take(N as u64)?.first_chunk().expect("as many bytes as asked for"))
    }

    fn count(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.fixed()?))
    }

    fn string(&mut self) -> Result<&'b str> {
        let len = self.count()?;
        let at = self.at;
        std::str::from_utf8(self.take(len)?).map_err(|_| Error::format(format!("byte {at}"), "is not UTF-8"))
    }

    fn number(&mut self, kind: u32) -> Result<Value<'b>> {
        Ok(match kind {
            0 => Value::Integer(u8::from_le_bytes(self.fixed()?).into()),
            1 => Value::Integer(i8::from_le_bytes(self.fixed()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.fixed()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.fixed()?).into()),
            4 => Value::Integer(u32::from_le_bytes(self.fixed()?).into()),
            5 => Value::Integer(i32::from_le_bytes(self.fixed()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.fixed()?).into()),
            7 => Value::Boolean(self.fixed::<1>()? != [0]),
            10 => Value::Integer(u64::from_le_bytes(self.fixed()?) as i64),
            11 => Value::Integer(i64::from_le_bytes(self.fixed()?)),
            12 => Value::Float(f64::from_le_bytes(self.fixed()?)),
            other => return Err(Error::format(format!("byte {}", self.at), format!("{other} is no type of GGUF"))),
        })
    }

    fn value(&mut self, kind: u32) -> Result<Value<'b>> {
        match kind {
            8 => Ok(Value::String(self.string()?)),
            9 => self.list(),
            kind => self.number(kind),
        }
    }

    fn list(&mut self) -> Result<Value<'b>> {
        let kind = u32::from_le_bytes(self.fixed()?);
        let count = self.count()?;
        if kind <= 1 {
            return Ok(Value::Bytes(self.take(count)?));
        }
        // An element takes a byte at least, so that no count can ask for more memory than the file is worth.
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(Error::format(format!("byte {}", self.at), "a list is longer than the file"));
        }
        let (mut strings, mut integers, mut floats, mut others) = (Vec::new(), Vec::new(), Vec::new(), false);
        for _ in 0..count {
            match self.value(kind)? {
                Value::String(string) => strings.push(string),
                Value::Integer(integer) => integers.push(integer),
                Value::Float(float) => floats.push(float),
                _ => others = true,
            }
        }
        Ok(match kind {
            _ if others => Value::Other,
            8 => Value::Strings(strings),
            6 | 12 => Value::Floats(floats),
            _ => Value::Integers(integers),
        })
    }
}

impl<'b> Metadata<'b> {
    /// Reads the metadata of a file; the tensors behind it are not looked at.
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self> {
        let mut reader = Reader { bytes, at: 4 };
        let version = u32::from_le_bytes(reader.fixed()?);
        if !matches!(version, 2 | 3) {
            return Err(Error::unsupported("GGUF", format!("version {version}")));
        }
        let _tensors = reader.count()?;
        let count = reader.count()?;
        let mut values = HashMap::new();
        for _ in 0..count {
            let key = reader.string()?;
            let kind = u32::from_le_bytes(reader.fixed()?);
            values.insert(key, reader.value(kind)?);
        }
        Ok(Self { values })
    }

    fn get(&self, key: &str) -> Option<&Value<'b>> {
        self.values.get(format!("tokenizer.ggml.{key}").as_str())
    }

    /// A string of the model, which need not be there.
    pub(super) fn general(&self, key: &str) -> Option<&'b str> {
        match self.values.get(format!("general.{key}").as_str()) {
            Some(Value::String(string)) => Some(string),
            _ => None,
        }
    }

    fn wrong(key: &str, expected: &str) -> Error {
        Error::format(format!("tokenizer.ggml.{key}"), format!("must be {expected}"))
    }

    /// A string, if there is one under this key of the tokenizer.
    pub(super) fn string(&self, key: &str) -> Result<Option<&'b str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string)),
            Some(_) => Err(Self::wrong(key, "a string")),
        }
    }

    /// A list of strings.
    pub(super) fn strings(&self, key: &str) -> Result<Option<&[&'b str]>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Strings(strings)) => Ok(Some(strings)),
            Some(_) => Err(Self::wrong(key, "a list of strings")),
        }
    }

    /// A list of integers.
    pub(super) fn integers(&self, key: &str) -> Result<Option<&[i64]>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Integers(integers)) => Ok(Some(integers)),
            Some(_) => Err(Self::wrong(key, "a list of integers")),
        }
    }

    /// A list of numbers.
    pub(super) fn floats(&self, key: &str) -> Result<Option<Vec<f64>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Floats(floats)) => Ok(Some(floats.clone())),
            Some(Value::Integers(integers)) => Ok(Some(integers.iter().map(|&integer| integer as f64).collect())),
            Some(_) => Err(Self::wrong(key, "a list of numbers")),
        }
    }

    /// A list of bytes.
    pub(super) fn bytes(&self, key: &str) -> Result<Option<&'b [u8]>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            Some(_) => Err(Self::wrong(key, "a list of bytes")),
        }
    }

    /// A boolean.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Boolean(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Self::wrong(key, "a boolean")),
        }
    }

    /// An id.
    pub(super) fn id(&self, key: &str) -> Result<Option<u32>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Integer(id)) => u32::try_from(*id).map(Some).map_err(|_| Self::wrong(key, "an id")),
            Some(_) => Err(Self::wrong(key, "an id")),
        }
    }
}
