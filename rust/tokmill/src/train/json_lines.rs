//! One field of a line of JSON, without building the rest.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor};

/// The string under `field` in the object that `line` holds, borrowed where nothing in it is escaped.
pub(super) fn string_field<'l>(line: &'l [u8], field: &str) -> Result<Cow<'l, str>, String> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let found = json.deserialize_map(Object { field }).map_err(|error| error.to_string())?;
    json.end().map_err(|error| error.to_string())?;
    found.ok_or_else(|| format!("has no field {field:?}"))
}

struct Object<'f> {
    field: &'f str,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a string under {:?}", self.field)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(wanted) = map.next_key_seed(Key { field: self.field })? {
            if wanted {
                found = Some(map.next_value_seed(Text)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is the one looked for.
struct Key<'f> {
    field: &'f str,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.field)
    }
}

struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_found_wherever_it_is() {
        let found = |line: &'static str| string_field(line.as_bytes(), "text");
        assert_eq!(found(r#"{"id": [1, {"text": 2}], "text": "a b"}"#), Ok(Cow::Borrowed("a b")));
        assert_eq!(found(r#" {"\u0074ext": "a\n\u00e9", "z": null} "#), Ok(Cow::Borrowed("a\né")));
        for (line, why) in [
            (r#"{"other": "a"}"#, "no field \"text\""),
            (r#"{"text": 3}"#, "a string"),
            (r#"["text"]"#, "an object"),
            (r#"{"text": "a"} x"#, "trailing"),
            (r#"{"text": "a"#, "EOF"),
        ] {
            let error = found(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
        assert!(string_field(b"{\"text\": \"\xff\"}", "text").is_err());
    }
}
