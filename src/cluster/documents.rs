//! YAML and JSON text to JSON values: the documents of a state file or of `explain -f`.
//!
//! YAML by the core types of YAML 1.2: `yes`, `no` and `on` are strings, as are `0755` and `1_000`. Integers stay exact
//! up to 64 bits. A key that occurs twice is an error in both languages.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{MessageFormatter, UserMessageFormatter};

/// The most events that the aliases of one YAML document may add: room for repeated labels, not for bombs.
const MAX_REPLAYED_EVENTS: usize = 20_000;
/// The most documents in one text.
const MAX_DOCUMENTS: usize = 10_000;

/// Text that is neither YAML nor JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", position.map(|(line, column)| format!("line {line}, column {column}: ")).unwrap_or_default())]
pub struct SyntaxError {
    /// Line and column, both from 1; `None` when unknown.
    pub position: Option<(u64, u64)>,
    /// What is wrong, in one line.
    pub problem: String,
}

/// Every document of a YAML or JSON text; empty documents are left out.
///
/// # Errors
/// The first syntax error.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, SyntaxError> {
    let mut documents = Vec::new();
    for_each_document(text, |document| documents.push(document));
    documents.into_iter().collect()
}

/// Hands out the documents of a text one by one, so that only one of them is in memory at a time; the documents around
/// one that cannot be read are handed out, as far as the reader finds its way again.
pub fn for_each_document(text: &str, mut receive: impl FnMut(Result<Value, SyntaxError>)) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.trim_start().starts_with(['{', '[']) {
        return for_each_yaml_document(text, receive);
    }
    match serde_json::Deserializer::from_str(text).into_iter::<Strict>().collect::<Result<Vec<_>, _>>() {
        Ok(documents) => documents.into_iter().for_each(|Strict(document)| receive(Ok(document))),
        Err(error) => {
            // YAML's flow style starts with the same brackets. Of two complaints, the one further on is to the point.
            let json_error = SyntaxError::from(error);
            let mut documents = Vec::new();
            for_each_yaml_document(text, |document| documents.push(document));
            match documents.into_iter().collect::<Result<Vec<_>, _>>() {
                Ok(documents) => documents.into_iter().for_each(|document| receive(Ok(document))),
                Err(error) if error.position > json_error.position => receive(Err(error)),
                Err(_) => receive(Err(json_error)),
            }
        }
    }
}

fn for_each_yaml_document(text: &str, mut receive: impl FnMut(Result<Value, SyntaxError>)) {
    // The text itself bounds whatever is not added by aliases and merge keys.
    let enough = text.len().saturating_add(1024);
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: None,
            max_events: enough,
            max_nodes: enough,
            max_total_scalar_bytes: enough,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED_EVENTS },
        duplicate_keys: DuplicateKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        emit_comments: false,
        with_snippet: false,
    };
    let mut reader = text.as_bytes();
    let documents = serde_saphyr::read_with_options::<_, Strict>(&mut reader, options);
    for (index, document) in documents.enumerate() {
        if index >= MAX_DOCUMENTS {
            let problem = format!("more than {MAX_DOCUMENTS} documents; use one List, or several files");
            return receive(Err(SyntaxError { position: None, problem }));
        }
        receive(document.map(|Strict(value)| value).map_err(SyntaxError::from));
    }
}

impl From<serde_saphyr::Error> for SyntaxError {
    fn from(error: serde_saphyr::Error) -> Self {
        let position = error.location().map(|location| (location.line(), location.column()));
        Self { position, problem: UserMessageFormatter.format_message(&error).into_owned() }
    }
}

impl From<serde_json::Error> for SyntaxError {
    fn from(error: serde_json::Error) -> Self {
        let position = (u64::try_from(error.line()).ok()).zip(u64::try_from(error.column()).ok());
        let mut problem = error.to_string();
        problem.truncate(problem.rfind(" at line ").unwrap_or(problem.len()));
        Self { position, problem }
    }
}

/// A JSON value without duplicate keys.
struct Strict(Value);

struct StrictVisitor;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key} occurs twice")));
            }
            let Strict(value) = entries.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(text: &str) -> Value {
        let mut documents = parse_documents(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(documents.len(), 1, "{text}");
        documents.remove(0)
    }

    fn error(text: &str) -> String {
        parse_documents(text)
            .map_or_else(|error| error.to_string(), |documents| panic!("{text}: {documents:?}"))
    }

    #[test]
    fn yaml_has_the_types_of_yaml_1_2() {
        for (text, value) in [
            ("\"500\"", json!("500")),
            ("500", json!(500)),
            ("yes", json!("yes")),
            ("No", json!("No")),
            ("on", json!("on")),
            ("y", json!("y")),
            ("true", json!(true)),
            ("0755", json!("0755")),
            ("1_000", json!("1_000")),
            ("0x1F", json!(31)),
            ("1.5", json!(1.5)),
            ("1.5Gi", json!("1.5Gi")),
            ("1:30", json!("1:30")),
            ("2026-01-01", json!("2026-01-01")),
            ("~", json!(null)),
            ("", json!(null)),
            ("!!str 5", json!("5")),
            ("9007199254740993", json!(9_007_199_254_740_993_i64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(one(&format!("key: {text}")), json!({"key": value}), "{text}");
        }
        assert_eq!(one("a: 1\r\nb:\r\n- on\r\n"), json!({"a": 1, "b": ["on"]}));
        assert_eq!(one("500: a\nyes: b\n"), json!({"500": "a", "yes": "b"}), "keys are strings");
    }

    #[test]
    fn json_is_read_as_json_and_flow_style_as_yaml() {
        assert_eq!(
            one("\u{feff} {\"a\": 9007199254740993, \"b\": \"\\ud83d\\ude00\"}"),
            json!({"a": 9_007_199_254_740_993_i64, "b": "😀"})
        );
        assert_eq!(one("{a: yes, b: [1, 2]} # a comment"), json!({"a": "yes", "b": [1, 2]}));
        assert_eq!(parse_documents("{\"a\": 1}\n{\"b\": 2}\n"), Ok(vec![json!({"a": 1}), json!({"b": 2})]));
    }

    #[test]
    fn empty_documents_are_left_out() {
        assert_eq!(parse_documents(""), Ok(vec![]));
        assert_eq!(
            parse_documents("# nothing\n---\n---\na: 1\n---\nnull\n---\n- 2\n...\n"),
            Ok(vec![json!({"a": 1}), json!([2])])
        );
    }

    #[test]
    fn anchors_and_merge_keys_are_resolved() {
        let text = "base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\n";
        assert_eq!(one(text), json!({"base": {"a": 1, "b": 2}, "more": {"a": 1, "b": 3}}));
    }

    #[test]
    fn syntax_errors_say_where() {
        for (text, expected) in [
            ("a: 1\na: 2\n", "line 2, column 1: duplicate mapping key `a` is not allowed here"),
            ("{\"a\": 1,\n \"a\": 2}", "line 2, column 4: the key a occurs twice"),
            ("a:\n\tb: 1", "line 2, column 2: tabs disallowed within this context (block indentation)"),
            ("a: b: c", "line 1, column 5: mapping values are not allowed in this context"),
            ("{\"a\": ", "line 1, column 6: EOF while parsing a value"),
            ("{a: 1, b: *c}", "line 1, column 11: reference to unknown value"),
            ("{\"a\": 1e999}", "line 1, column 11: number out of range"),
            ("a: .inf", "line 1, column 4: value `.inf` is not a finite number"),
        ] {
            assert_eq!(error(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_documents_around_a_bad_one_are_handed_out() {
        let mut seen = Vec::new();
        for_each_document("a: 1\n---\nb: 1\nb: 2\n---\nc: 1\n", |document| seen.push(document.is_ok()));
        assert_eq!(seen, [true, false, true]);
    }

    #[test]
    fn long_comments_and_lines_are_fine() {
        assert_eq!(
            one(&format!("{}a: {}\n", "# licence\n".repeat(500), "x".repeat(100_000)))
                .as_object()
                .map(Map::len),
            Some(1)
        );
    }

    #[test]
    fn documents_that_grow_or_nest_without_bound_are_refused() {
        let laughs: Vec<String> = (1..=9)
            .map(|level| {
                format!("l{level}: &l{level} [{}]\n", vec![format!("*l{}", level - 1); 10].join(", "))
            })
            .collect();
        let laughs = format!("l0: &l0 [a, a]\n{}", laughs.concat());
        assert!(error(&laughs).contains("too large or too complex"));
        for text in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000), "? ".repeat(100_000)]
        {
            assert!(parse_documents(&text).is_err());
        }
        assert!(error(&"a\n---\n".repeat(MAX_DOCUMENTS + 1)).starts_with("more than 10000 documents"));
    }
}
