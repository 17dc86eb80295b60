//! The wire format of protocol buffers: tagged fields of four kinds, end to end.
//!
//! A SentencePiece model uses a handful of fields of three message types, so reading the tags by hand is shorter than
//! what a library would need around it, and needs no compiler of schemas. Fields that are not known are passed over.
//! Reference: the "Encoding" chapter of the protocol buffers documentation.

use crate::error::{Error, Result};

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'b> {
    /// Integers, booleans and enumerations.
    Varint(u64),
    /// Four bytes: a float.
    Fixed32(u32),
    /// Eight bytes.
    Fixed64(u64),
    /// Strings, bytes and messages.
    Bytes(&'b [u8]),
}

/// The fields of a message, in the order of the bytes. After an error there are no more.
pub(super) struct Fields<'b> {
    rest: &'b [u8],
    /// Where the message begins in the file, and how long it is.
    begin: usize,
    len: usize,
}

impl<'b> Fields<'b> {
    /// The fields of the message that is the whole file.
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, begin: 0, len: bytes.len() }
    }

    /// The fields of a message inside of `file`.
    pub(super) fn inside(file: &'b [u8], message: &'b [u8]) -> Self {
        let begin = message.as_ptr() as usize - file.as_ptr() as usize;
        Self { rest: message, begin, len: message.len() }
    }

    fn wrong(&self, why: &str) -> Error {
        Error::format(format!("byte {}", self.begin + self.len - self.rest.len()), why)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7F) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(self.wrong("a number of the protocol buffer does not end"))
    }

    fn bytes(&mut self, len: u64) -> Result<&'b [u8]> {
        match usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len)) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.wrong("a field of the protocol buffer is longer than what holds it")),
        }
    }

    fn field(&mut self) -> Result<(u64, Value<'b>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(*self.bytes(8)?.first_chunk().expect("eight bytes"))),
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.bytes(len)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(*self.bytes(4)?.first_chunk().expect("four bytes"))),
            _ => return Err(self.wrong("is no field of a protocol buffer")),
        };
        Ok((tag >> 3, value))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u64, Value<'b>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// A message in the making.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
}

impl Message {
    fn push_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Appends an integer, a boolean or an enumeration.
    pub(super) fn varint(&mut self, field: u64, value: u64) {
        self.push_varint(field << 3);
        self.push_varint(value);
    }

    /// Appends a signed integer.
    pub(super) fn signed(&mut self, field: u64, value: i32) {
        self.varint(field, i64::from(value) as u64);
    }

    /// Appends a string, bytes or a message.
    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) {
        self.push_varint(field << 3 | 2);
        self.push_varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Appends a float.
    pub(super) fn float(&mut self, field: u64, value: f32) {
        self.push_varint(field << 3 | 5);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut inner = Message::default();
        inner.float(2, -1.5);
        let mut message = Message::default();
        message.varint(3, 300);
        message.signed(43, -1);
        message.bytes(1, b"text");
        message.bytes(2, &inner.bytes);
        let fields: Vec<_> = Fields::new(&message.bytes).collect::<Result<_>>().unwrap();
        let expected = [
            (3, Value::Varint(300)),
            (43, Value::Varint(u64::MAX)),
            (1, Value::Bytes(b"text")),
            (2, Value::Bytes(&inner.bytes)),
        ];
        assert_eq!(fields, expected);
        let (_, Value::Bytes(nested)) = fields[3] else { panic!("a message") };
        let nested: Vec<_> = Fields::inside(&message.bytes, nested).collect::<Result<_>>().unwrap();
        assert_eq!(nested, [(2, Value::Fixed32((-1.5f32).to_bits()))]);
    }

    #[test]
    fn damage_is_found_and_ends_the_walk() {
        for damaged in [&[0x0A, 5, 1][..], &[0x08, 0x80], &[0x0B], &[0x0D, 1, 2], &[0xFF; 11]] {
            let mut fields = Fields::new(damaged);
            assert!(fields.next().unwrap().is_err());
            assert!(fields.next().is_none());
        }
    }
}
