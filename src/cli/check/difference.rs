//! Where two JSON values differ.

use serde_json::Value;

/// The longest value that is shown.
const SHOWN: usize = 60;

/// The first difference, in the order of the members' names: `a.b is 1, expected 2`.
pub fn difference(found: &Value, expected: &Value) -> Option<String> {
    let mut path = Vec::new();
    let (found, expected) = first(found, expected, &mut path)?;
    let path = if path.is_empty() { "the whole".to_owned() } else { path.join(".") };
    Some(format!("{path} is {}, expected {}", shown(found), shown(expected)))
}

/// The values that differ; `path` leads to them.
fn first<'v>(
    found: &'v Value,
    expected: &'v Value,
    path: &mut Vec<String>,
) -> Option<(&'v Value, &'v Value)> {
    if found == expected {
        return None;
    }
    let names: Vec<String> = match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let mut names: Vec<String> = found.keys().chain(expected.keys()).cloned().collect();
            names.sort();
            names.dedup();
            names
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            (0..found.len()).map(|index| index.to_string()).collect()
        }
        _ => return Some((found, expected)),
    };
    for name in names {
        let (found, expected) = (member(found, &name), member(expected, &name));
        path.push(name);
        if let Some(difference) = first(found, expected, path) {
            return Some(difference);
        }
        path.pop();
    }
    None
}

fn member<'v>(value: &'v Value, name: &str) -> &'v Value {
    let member = match value {
        Value::Array(items) => name.parse().ok().and_then(|index: usize| items.get(index)),
        value => value.get(name),
    };
    member.unwrap_or(&Value::Null)
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if value.is_null() {
        "absent".to_owned()
    } else if text.chars().count() > SHOWN {
        text.chars().take(SHOWN).chain("...".chars()).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_told_with_its_path() {
        let found = json!({"a": {"b": [1, 2]}, "c": 5});
        assert_eq!(difference(&found, &found), None);
        let expected = json!({"a": {"b": [1, 3]}, "c": 6});
        assert_eq!(difference(&found, &expected).unwrap(), "a.b.1 is 2, expected 3");
        assert_eq!(
            difference(&json!({"a": 1}), &json!({"a": 1, "b": "x"})).unwrap(),
            "b is absent, expected \"x\""
        );
        assert_eq!(difference(&json!([]), &json!({})).unwrap(), "the whole is [], expected {}");
    }
}
