//! Small JSON values with the path that leads to them, so that every error says where.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A value of a JSON file and its path, such as `post_processor.single[0]`.
pub(crate) struct Node<'v> {
    value: &'v Value,
    path: String,
}

impl<'v> Node<'v> {
    pub(crate) fn new(value: &'v Value, path: impl Into<String>) -> Self {
        Self { value, path: path.into() }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The error that this value is not what it has to be.
    pub(crate) fn wrong(&self, expected: &str) -> Error {
        Error::format(&self.path, format!("must be {expected}, is {}", describe(self.value)))
    }

    pub(crate) fn object(&self) -> Result<&'v Map<String, Value>> {
        self.value.as_object().ok_or_else(|| self.wrong("an object"))
    }

    /// The field `key`; `None` where it is missing or null, or where this is no object.
    pub(crate) fn get(&self, key: &str) -> Option<Node<'v>> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self::new(value, format!("{}.{key}", self.path)))
    }

    /// The field `key`, which must exist; it may be null.
    pub(crate) fn field(&self, key: &str) -> Result<Node<'v>> {
        match self.object()?.get(key) {
            Some(value) => Ok(Self::new(value, format!("{}.{key}", self.path))),
            None => Err(Error::format(&self.path, format!("has no field `{key}`"))),
        }
    }

    /// The elements of a list.
    pub(crate) fn items(&self) -> Result<impl Iterator<Item = Node<'v>>> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("a list"))?;
        Ok(items.iter().enumerate().map(|(index, value)| Self::new(value, format!("{}[{index}]", self.path))))
    }

    pub(crate) fn string(&self) -> Result<&'v str> {
        self.value.as_str().ok_or_else(|| self.wrong("a string"))
    }

    pub(crate) fn boolean(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    pub(crate) fn number(&self) -> Result<f64> {
        self.value.as_f64().ok_or_else(|| self.wrong("a number"))
    }

    /// A whole number from 0 on.
    pub(crate) fn count(&self) -> Result<u64> {
        self.value.as_u64().ok_or_else(|| self.wrong("a whole number from 0 on"))
    }

    /// An id: a whole number of 32 bits.
    pub(crate) fn id(&self) -> Result<u32> {
        let id = self.value.as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| self.wrong("a whole number from 0 to 4294967295"))
    }

    /// The boolean field `key`, which must exist.
    pub(crate) fn flag(&self, key: &str) -> Result<bool> {
        self.field(key)?.boolean()
    }

    /// The boolean field `key`, or `default` where it is missing or null.
    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Result<bool> {
        self.get(key).map_or(Ok(default), |node| node.boolean())
    }

    /// The `type` of a component.
    pub(crate) fn type_name(&self) -> Result<&'v str> {
        self.field("type")?.string()
    }

    /// The `type` of a component; for one without, as old files have it, the first of `signs` (a field and the type it
    /// tells) that it has.
    pub(crate) fn type_or_told_by(&self, signs: &[(&str, &'static str)]) -> Result<&'v str> {
        let told = signs.iter().find(|(key, _)| self.get(key).is_some());
        match (self.get("type"), told) {
            (None, Some((_, name))) => Ok(name),
            _ => self.type_name(),
        }
    }

    /// The error that a component is known but not supported.
    pub(crate) fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::unsupported(format!("{}.type", self.path), what)
    }
}

/// A value in a few words, for errors.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => excerpt(text),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A string in quotes, cut to a length that an error message can bear.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// What the JSON parser says, with its line and column as the place.
pub(crate) fn syntax_error(error: &serde_json::Error) -> Error {
    let at = format!("line {} column {}", error.line(), error.column());
    let said = error.to_string();
    let why = said.strip_suffix(&format!(" at {at}")).unwrap_or(&said);
    Error::format(at, why)
}
