//! Where two JSON documents differ, for readable failures.

use serde_json::Value;

/// Every place with another value, as `/path: left is not right`.
pub fn differences(left: &Value, right: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", left, right, &mut found);
    found
}

fn compare(path: &str, left: &Value, right: &Value, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for key in ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key))) {
                compare(&format!("{path}/{key}"), &left[key], &right[key], found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (place, (left, right)) in ours.iter().zip(theirs).enumerate() {
                compare(&format!("{path}/{place}"), left, right, found);
            }
        }
        _ if left != right => found.push(format!("{path}: {left} is not {right}")),
        _ => {}
    }
}
