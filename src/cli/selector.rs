//! Label selectors as kubectl takes them: `-l 'pool=spark,disk in (nvme,ssd),!gpu'`.

use std::collections::BTreeSet;

use kube::core::{Expression, Selector};

/// Reads a selector.
///
/// # Errors
/// The requirement that is not understood.
pub fn parse(text: &str) -> Result<Selector, String> {
    let requirements = split(text);
    if requirements.iter().any(|requirement| requirement.trim().is_empty()) {
        return Err("a requirement is empty".to_owned());
    }
    requirements.into_iter().map(|requirement| expression(requirement.trim())).collect()
}

/// At the commas that are not within parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i64;
    let at_comma = move |letter: char| {
        match letter {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    };
    text.split(at_comma).collect()
}

fn expression(requirement: &str) -> Result<Expression, String> {
    if let Some(key) = requirement.strip_prefix('!') {
        return Ok(Expression::DoesNotExist(checked_key(key, requirement)?));
    }
    if let Some((key, value)) = requirement.split_once("!=") {
        return Ok(Expression::NotEqual(checked_key(key, requirement)?, value.trim().to_owned()));
    }
    if let Some((key, value)) = requirement.split_once("==").or_else(|| requirement.split_once('=')) {
        return Ok(Expression::Equal(checked_key(key, requirement)?, value.trim().to_owned()));
    }
    if let Some(inner) = requirement.strip_suffix(')')
        && let Some((left, values)) = inner.split_once('(')
        && let Some((key, operator)) = left.trim().rsplit_once(char::is_whitespace)
    {
        let values: BTreeSet<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        let key = checked_key(key, requirement)?;
        match operator {
            "in" => return Ok(Expression::In(key, values)),
            "notin" => return Ok(Expression::NotIn(key, values)),
            _ => {}
        }
    }
    Ok(Expression::Exists(checked_key(requirement, requirement)?))
}

/// Keys have no spaces or signs; whoever wrote some meant another requirement.
fn checked_key(key: &str, requirement: &str) -> Result<String, String> {
    let key = key.trim();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '/' | '-' | '_');
    if key.is_empty() || !key.chars().all(is_part) {
        return Err(format!(
            "{requirement:?} is not understood; write KEY=VALUE, KEY!=VALUE, KEY, !KEY, KEY in (A,B) or KEY notin (A,B)"
        ));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use kube::core::SelectorExt;

    use super::*;

    fn matches(text: &str) -> bool {
        let labels = [("pool", "spark"), ("disk.io/kind", "nvme")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        parse(text).unwrap().matches(&labels)
    }

    #[test]
    fn selectors_are_those_of_kubectl() {
        for matching in [
            "pool=spark",
            "pool==spark",
            " pool = spark ",
            "pool!=web",
            "other!=x",
            "pool",
            "!gpu",
            "pool in (web,spark)",
            "gpu notin (a, b)",
            "pool=spark,disk.io/kind in (nvme,ssd),!gpu",
        ] {
            assert!(matches(matching), "{matching}");
        }
        for other in ["pool=", "pool=web", "gpu", "!pool", "pool in (web)", "pool notin (spark)", "pool,gpu"]
        {
            assert!(!matches(other), "{other}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in ["", ",", "pool=spark,", "=x", "!", "pool within (a)", "pool in a", "a b", "pool > 5"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
