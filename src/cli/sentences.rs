//! Sentences as indented lines.

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
