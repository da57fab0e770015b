//! Reads a JSON object field by field and lists every problem instead of stopping at the first one.
//!
//! A field that is `null` counts as absent, as the API server treats it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// One thing that is wrong with an object, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The field, such as `spec.nodes.tolerations[0].key` or `metadata.labels[team]`; empty for the object as a whole.
    pub path: String,
    /// What is wrong with it and what to do.
    pub problem: String,
}

/// The proof that a problem was listed: what this stands for could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed(());

/// The fields of one object. Nested objects are read by closures, so that their problems end up in one list.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    values: Option<&'a Map<String, Value>>,
    asked: Vec<&'static str>,
    problems: Vec<Problem>,
}

/// Reads a whole object.
///
/// # Errors
/// Every problem there is, in the order in which the fields were read.
pub fn read_object<'a, T>(
    object: &'a Value,
    read: impl FnOnce(&mut Fields<'a>) -> Result<T, Listed>,
) -> Result<T, Vec<Problem>> {
    let mut fields = Fields::at(String::new());
    let result = match fields.enter(object) {
        Ok(()) => read(&mut fields),
        Err(listed) => Err(listed),
    };
    match result {
        Ok(value) if fields.problems.is_empty() => Ok(value),
        _ => Err(fields.problems),
    }
}

impl<'a> Fields<'a> {
    /// The field as `parse` understands it, `None` when it is absent.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Result<Option<T>, Listed> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => parse(value).map(Some).map_err(|problem| self.problem(name, problem)),
        }
    }

    /// The field as `parse` understands it, or `default` when it is absent.
    pub fn read_or<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Result<T, Listed> {
        Ok(self.read(name, parse)?.unwrap_or(default))
    }

    /// The field as `parse` understands it; a problem when it is absent.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Result<T, Listed> {
        self.read(name, parse)?.ok_or_else(|| self.problem(name, "is missing"))
    }

    /// A nested object; an absent one reads as an empty one.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Listed>,
    ) -> Result<T, Listed> {
        let mut child = Fields::at(join(&self.path, name));
        let entered = self.value(name).map_or(Ok(()), |value| child.enter(value));
        self.finish(child, entered, read)
    }

    /// A list of objects; an absent one reads as an empty one.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, Listed>,
    ) -> Result<Vec<T>, Listed> {
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let Some(items) = value.as_array() else {
            return Err(self.problem(name, format!("expected a list, found {}", describe(value))));
        };
        let mut result = Ok(Vec::new());
        for (index, item) in items.iter().enumerate() {
            let mut child = Fields::at(format!("{}[{index}]", join(&self.path, name)));
            let entered = child.enter(item);
            collect(&mut result, self.finish(child, entered, &mut read), Vec::push);
        }
        result
    }

    /// A map with keys of the user's choice; an absent one reads as an empty one.
    pub fn map<T>(
        &mut self,
        name: &'static str,
        mut parse: impl FnMut(&str, &'a Value) -> Result<T, String>,
    ) -> Result<BTreeMap<String, T>, Listed> {
        let Some(value) = self.value(name) else { return Ok(BTreeMap::new()) };
        let Some(entries) = value.as_object() else {
            return Err(self.problem(name, format!("expected an object, found {}", describe(value))));
        };
        let mut result = Ok(BTreeMap::new());
        for (key, value) in entries {
            let entry = parse(key, value)
                .map(|parsed| (key.clone(), parsed))
                .map_err(|problem| self.problem(&format!("{name}[{key}]"), problem));
            collect(&mut result, entry, |map, (key, value)| {
                map.insert(key, value);
            });
        }
        result
    }

    /// The field is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.values.and_then(|values| values.get(name)).is_some_and(|value| !value.is_null())
    }

    /// Lists a problem with a field; an empty name means this object.
    pub fn problem(&mut self, name: &str, problem: impl Into<String>) -> Listed {
        self.problems.push(Problem { path: join(&self.path, name), problem: problem.into() });
        Listed(())
    }

    /// Lists every field that was neither read nor is among `ignored`, with the nearest known name.
    pub fn only_known(&mut self, ignored: &[&'static str]) {
        let Some(values) = self.values else { return };
        let known: Vec<&str> = self.asked.iter().chain(ignored).copied().collect();
        for name in values.keys().filter(|name| !known.contains(&name.as_str())) {
            let hint = match nearest(name, &known) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("known fields: {}", known.join(", ")),
            };
            self.problem(name, format!("unknown field; {hint}"));
        }
    }

    fn at(path: String) -> Self {
        Self { path, values: None, asked: Vec::new(), problems: Vec::new() }
    }

    fn enter(&mut self, value: &'a Value) -> Result<(), Listed> {
        self.values = value.as_object();
        match self.values {
            Some(_) => Ok(()),
            None => Err(self.problem("", format!("expected an object, found {}", describe(value)))),
        }
    }

    fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.push(name);
        self.values?.get(name).filter(|value| !value.is_null())
    }

    fn finish<T>(
        &mut self,
        mut child: Self,
        entered: Result<(), Listed>,
        read: impl FnOnce(&mut Self) -> Result<T, Listed>,
    ) -> Result<T, Listed> {
        let result = entered.and_then(|()| read(&mut child));
        let clean = child.problems.is_empty();
        self.problems.append(&mut child.problems);
        match result {
            Ok(value) if clean => Ok(value),
            _ => Err(Listed(())),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "{}: ", OneLine(&self.path))?;
        }
        OneLine(&self.problem).fmt(formatter)
    }
}

/// Text from a file, shown without its control characters: a problem stays one line.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())
            } else {
                write!(formatter, "{character}")
            }
        })
    }
}

/// A value as a message names it; long strings are cut.
pub fn describe(value: &Value) -> String {
    const SHOWN: usize = 60;
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() > SHOWN => {
            format!("\"{}...\"", text.chars().take(SHOWN).collect::<String>())
        }
        Value::String(text) => format!("\"{text}\""),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn join(path: &str, name: &str) -> String {
    match (path, name) {
        ("", name) => name.to_owned(),
        (path, "") => path.to_owned(),
        (path, name) => format!("{path}.{name}"),
    }
}

/// Adds an item while everything was fine so far; the first failure stays.
fn collect<C, T>(result: &mut Result<C, Listed>, item: Result<T, Listed>, add: impl FnOnce(&mut C, T)) {
    match (result.as_mut(), item) {
        (Ok(items), Ok(item)) => add(items, item),
        (Ok(_), Err(listed)) => *result = Err(listed),
        (Err(_), _) => {}
    }
}

/// The known name that at most two typing errors or the case of its letters keep apart from this one.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    const TYPING_ERRORS: usize = 2;
    let lower = name.to_ascii_lowercase();
    known
        .iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= TYPING_ERRORS)
        .map(|candidate| (edits(&lower, &candidate.to_ascii_lowercase()), *candidate))
        .filter(|(edits, candidate)| *edits <= TYPING_ERRORS && *edits < candidate.len())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance, in characters.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (deleted, from) in from.chars().enumerate() {
        let mut left = deleted.saturating_add(1);
        let mut next = vec![left];
        for ((diagonal, up), to) in row.iter().zip(row.iter().skip(1)).zip(to.chars()) {
            let replaced = diagonal.saturating_add(usize::from(from != to));
            left = replaced.min(left.saturating_add(1)).min(up.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
