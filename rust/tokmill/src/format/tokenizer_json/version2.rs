//! The layout "2.0", which tokenizers 1.0 (release candidate 3) writes, brought back to that of version 1.0.
//!
//! It says the same with other components: `Metaspace` is a normalizer and a `Split`, the byte alphabet a switch of the
//! model, and templates hold ids in place of names. What it leaves out are defaults.

use serde_json::{Map, Value, json};

use super::super::json::Node;
use crate::error::{Error, Result};

/// Rewrites the fields of a file and of its model.
pub(super) fn to_version_1(fields: &mut Map<String, Value>, model: &mut Map<String, Value>) -> Result<()> {
    restore_metaspace(fields)?;
    if let Some(pre_tokenizer) = fields.get_mut("pre_tokenizer") {
        for_each_component(pre_tokenizer, &|step| {
            complete(step, "Split", &[("behavior", json!("Isolated")), ("invert", json!(false))]);
        });
    }
    if model.remove("byte_level") == Some(Value::Bool(true)) {
        let byte_level = byte_level(false);
        let cut = fields.remove("pre_tokenizer").unwrap_or_default();
        fields.insert("pre_tokenizer".to_owned(), joined(cut, "pretokenizers", byte_level));
    }
    if let Some(decoder) = fields.get_mut("decoder") {
        let Value::Object(defaults) = byte_level(true) else { unreachable!("a component is an object") };
        let defaults: Vec<(&str, Value)> = defaults.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        for_each_component(decoder, &|step| complete(step, "ByteLevel", &defaults));
    }
    let names = token_names(fields);
    if let Some(Value::Object(template)) = fields.get_mut("post_processor") {
        restore_template(template, &names)?;
    }
    Ok(())
}

fn byte_level(use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex })
}

/// A component with another one behind it.
fn joined(first: Value, key: &str, last: Value) -> Value {
    let is_sequence = first.get("type") == Some(&json!("Sequence"));
    let mut steps = match first {
        Value::Null => return last,
        Value::Object(mut sequence) if is_sequence => match sequence.remove(key) {
            Some(Value::Array(steps)) => steps,
            _ => Vec::new(),
        },
        component => vec![component],
    };
    steps.push(last);
    json!({ "type": "Sequence", key: steps })
}

/// Does something to a component, or to each of a sequence.
fn for_each_component(component: &mut Value, change: &impl Fn(&mut Map<String, Value>)) {
    let Value::Object(fields) = component else { return };
    change(fields);
    for key in ["pretokenizers", "decoders"] {
        if let Some(Value::Array(steps)) = fields.get_mut(key) {
            for step in steps {
                for_each_component(step, change);
            }
        }
    }
}

/// Gives a component of this type the fields that it lacks.
fn complete(component: &mut Map<String, Value>, kind: &str, defaults: &[(&str, Value)]) {
    if component.get("type").and_then(Value::as_str) == Some(kind) {
        for (key, value) in defaults {
            component.entry(*key).or_insert_with(|| value.clone());
        }
    }
}

/// Makes a `Metaspace` of the normalizer of that kind, which comes last, and of the `Split` that goes with it.
fn restore_metaspace(fields: &mut Map<String, Value>) -> Result<()> {
    let is_metaspace = |value: &Value| value.get("type") == Some(&json!("MetaspaceNormalizer"));
    let (rest, metaspace) = match fields.get("normalizer") {
        Some(normalizer) if is_metaspace(normalizer) => (Value::Null, normalizer.clone()),
        Some(Value::Object(sequence)) => match sequence.get("normalizers").and_then(Value::as_array).map(Vec::as_slice)
        {
            Some([rest @ .., last]) if is_metaspace(last) => {
                (json!({ "type": "Sequence", "normalizers": rest }), last.clone())
            }
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let node = Node::new(&metaspace, "normalizer");
    let replacement = node.field("replacement")?.string()?;
    let cut = json!({
        "type": "Split",
        "pattern": { "String": replacement },
        "behavior": "MergedWithNext",
        "invert": false,
    });
    let split = match fields.get("pre_tokenizer") {
        None | Some(Value::Null) => false,
        Some(pre_tokenizer) if *pre_tokenizer == cut => true,
        Some(_) => return Err(Error::unsupported("pre_tokenizer", "this pretokenizer behind a MetaspaceNormalizer")),
    };
    let step = json!({
        "type": "Metaspace",
        "replacement": replacement,
        "prepend_scheme": node.field("prepend")?.string()?,
        "split": split,
    });
    let steps = if node.flag_or("drop_whitespace", false)? {
        json!({ "type": "Sequence", "pretokenizers": [{ "type": "WhitespaceSplit" }, step] })
    } else {
        step
    };
    fields.insert("normalizer".to_owned(), rest);
    fields.insert("pre_tokenizer".to_owned(), steps);
    Ok(())
}

/// Ids and contents of the added tokens.
fn token_names(fields: &Map<String, Value>) -> Vec<(u64, String)> {
    let tokens = fields.get("added_tokens").and_then(Value::as_array);
    let name = |token: &Value| Some((token.get("id")?.as_u64()?, token.get("content")?.as_str()?.to_owned()));
    tokens.into_iter().flatten().filter_map(name).collect()
}

/// Gives the special tokens of a template names again: their contents, or their ids.
fn restore_template(template: &mut Map<String, Value>, names: &[(u64, String)]) -> Result<()> {
    let name = |id: u64| match names.iter().find(|(other, _)| *other == id) {
        Some((_, content)) => content.clone(),
        None => format!("<{id}>"),
    };
    let mut special_tokens = Map::new();
    for key in ["single", "pair"] {
        let Some(pieces) = template.get(key) else { continue };
        let mut restored = Vec::new();
        for piece in Node::new(pieces, format!("post_processor.{key}")).items()? {
            let type_id = piece.get("type_id").map_or(Ok(0), |node| node.id())?;
            if let Some(sequence) = piece.get("seq") {
                restored.push(json!({ "Sequence": { "id": sequence.string()?, "type_id": type_id } }));
                continue;
            }
            for id in piece.field("ids")?.items()? {
                let id = id.id()?;
                let name = name(id.into());
                special_tokens.insert(name.clone(), json!({ "id": name, "ids": [id], "tokens": [name] }));
                restored.push(json!({ "SpecialToken": { "id": name, "type_id": type_id } }));
            }
        }
        template.insert(key.to_owned(), Value::Array(restored));
    }
    template.insert("special_tokens".to_owned(), Value::Object(special_tokens));
    Ok(())
}
