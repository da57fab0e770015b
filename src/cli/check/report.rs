//! How the checks are shown: in groups for people, as a list of objects for programs.

use clap::ValueEnum;

use super::checks::{Check, Status};
use crate::cli::{json, yaml};

/// How the checks are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// In groups
    #[default]
    Text,
    /// A list of objects
    Json,
    /// The same as YAML
    Yaml,
}

/// Where lines are broken.
const WIDTH: usize = 110;

/// What stands before a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// `√`, `‼` and `×`.
    Signs,
    /// `pass`, `warn` and `fail`.
    Words,
}

impl Marks {
    /// Signs for a terminal that can show them.
    pub fn of(is_terminal: bool, locale: Option<&str>) -> Self {
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        if is_terminal && (locale.contains("utf-8") || locale.contains("utf8")) {
            Self::Signs
        } else {
            Self::Words
        }
    }

    const fn mark(self, status: Status) -> &'static str {
        match (self, status) {
            (Self::Signs, Status::Pass) => "√",
            (Self::Signs, Status::Warn) => "‼",
            (Self::Signs, Status::Fail) => "×",
            (Self::Words, Status::Pass) => "pass",
            (Self::Words, Status::Warn) => "warn",
            (Self::Words, Status::Fail) => "fail",
        }
    }
}

/// The checks as they are shown.
///
/// # Errors
/// None is known: checks can be written as JSON and YAML.
pub fn shown(checks: &[Check], output: Output, marks: Marks) -> anyhow::Result<String> {
    Ok(match output {
        Output::Text => text(checks, marks),
        Output::Json => json(&checks)?,
        Output::Yaml => yaml(&checks)?,
    })
}

fn text(checks: &[Check], marks: Marks) -> String {
    let mut lines = Vec::new();
    let mut group = None;
    for check in checks {
        if group.replace(check.id.group()) != Some(check.id.group()) {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(check.id.group().text().to_owned());
        }
        let (mark, title) = (marks.mark(check.status), check.id.text());
        let indent = " ".repeat(mark.chars().count().saturating_add(3));
        // What was found stands beside the title when it passed, and below it when there is more to say.
        let mut found = check.message.lines();
        let beside = if check.status == Status::Pass { found.next() } else { None };
        let title = beside.map_or_else(|| title.to_owned(), |found| format!("{title}: {found}"));
        let below = found.chain(check.advice.as_deref()).flat_map(|line| wrapped(line, &indent));
        lines.extend(wrapped(&title, &format!("  {mark} ")).into_iter().chain(below));
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (passed, warned, failed) = (count(Status::Pass), count(Status::Warn), count(Status::Fail));
    let warnings = if warned == 1 { "warning" } else { "warnings" };
    lines.push(format!("\n{passed} passed, {warned} {warnings}, {failed} failed\n"));
    lines.join("\n")
}

/// The words of a text in lines that are not much longer than [`WIDTH`]: the first after `start`, the others below it.
fn wrapped(text: &str, start: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = start.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        let length = line.chars().count().saturating_add(word.chars().count());
        if !is_empty && length >= WIDTH {
            lines.push(std::mem::replace(&mut line, " ".repeat(start.chars().count())));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}
