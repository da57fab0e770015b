//! The schema of a field that holds a word of a vocabulary.

use schemars::Schema;
use serde_json::Value;

use crate::vocabulary::Vocabulary;

/// Before each word in a description.
pub(super) const ITEM: &str = "\n- ";

/// Makes an enum of a string, and says in its description what each word means.
pub(super) fn word<W: Vocabulary>(schema: &mut Schema) {
    let words: Value = W::WORDS.iter().map(W::to_string).collect();
    schema.insert("enum".to_owned(), words);
    if let Some(Value::String(description)) = schema.get_mut("description") {
        for word in W::WORDS {
            description.extend([ITEM, &word.to_string(), ": ", word.meaning()]);
        }
    }
}
