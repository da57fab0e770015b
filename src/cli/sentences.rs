//! Words, counts and sentences for people.

use std::fmt::Display;

use crate::sizing::fields::OneLine;

/// Each sentence on lines of its own, indented, and broken into lines of at most about `width` characters.
pub fn lines(sentences: impl IntoIterator<Item = String>, width: usize) -> String {
    let mut text = String::new();
    for sentence in sentences {
        let mut used = 0_usize;
        for word in OneLine(&sentence).to_string().split(' ').filter(|word| !word.is_empty()) {
            let with_word = used.saturating_add(word.chars().count()).saturating_add(1);
            let separator = match used {
                0 => "  ",
                _ if with_word <= width => " ",
                _ => "\n    ",
            };
            used = if separator == " " { with_word } else { word.chars().count() };
            text.extend([separator, word]);
        }
        text.push_str(if used == 0 { "" } else { "\n" });
    }
    text
}

/// `1 node` or `3 nodes`.
pub fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { many })
}

/// More names than this are counted, not listed.
const LISTED: usize = 5;

/// `a, b and 7 more`.
pub fn listed(names: &[impl Display]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(ToString::to_string).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_counted() {
        assert_eq!(listed(&["a", "b"]), "a, b");
        assert_eq!(listed(&(1..=7).collect::<Vec<_>>()), "1, 2, 3, 4, 5 and 2 more");
        assert_eq!([counted(0_u64, "node", "nodes"), counted(1_u64, "node", "nodes")], ["0 nodes", "1 node"]);
    }
}
