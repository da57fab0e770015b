//! `docs/experiment.md`: prose by hand, with tables between comments that are made from the results.
//!
//! A table begins with `<!-- table KIND ARM… -->`, where an arm may be a glob, and ends with `<!-- end of table -->`.

use anyhow::{Context, bail};

use crate::arm::Arms;
use crate::arm_table::{Kind, table};
use crate::results::Results;

const BEGIN: &str = "<!-- table ";
const END: &str = "<!-- end of table -->";

/// The page with its tables made anew.
///
/// # Errors
/// A comment that is not understood, with its line.
pub(crate) fn renew(page: &str, arms: &Arms, results: &Results) -> anyhow::Result<String> {
    let mut renewed = String::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        renewed.push_str(line);
        renewed.push('\n');
        let Some(words) = line.strip_prefix(BEGIN) else { continue };
        let place = || format!("docs/experiment.md:{}", number + 1);
        renewed.push_str(&of_comment(words, arms, results).with_context(place)?);
        let next = lines.find(|(_, line)| *line == END || line.starts_with(BEGIN));
        if next.is_none_or(|(_, line)| line != END) {
            bail!("{}: no line {END} after it", place());
        }
        renewed.push_str(END);
        renewed.push('\n');
    }
    Ok(renewed)
}

fn of_comment(words: &str, arms: &Arms, results: &Results) -> anyhow::Result<String> {
    let words = words.strip_suffix("-->").context("the comment does not end in its line")?;
    let mut words = words.split_whitespace();
    let name = words.next().unwrap_or_default();
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
        .with_context(|| format!("no table {name:?}; there are: {}", Kind::ALL.map(Kind::name).join(", ")))?;
    let patterns = words.map(glob::Pattern::new).collect::<Result<Vec<_>, _>>()?;
    Ok(table(kind, arms, &arms.matching(&patterns)?, results))
}
