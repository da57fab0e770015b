//! Java properties, the format of `spark-defaults.conf`. Mirrors `java.util.Properties.load`.

/// One entry of a properties file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The line it starts on, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// What is wrong with a properties file, and on which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \\u is not followed by four hexadecimal digits")]
pub struct BadEscape {
    line: usize,
}

/// Reads a properties file; a key that occurs twice is in the result twice.
///
/// # Errors
/// An escape that Java refuses.
pub fn parse(text: &str) -> Result<Vec<Property>, BadEscape> {
    logical_lines(text)
        .into_iter()
        .map(|(line, text)| {
            let (key, value) = split(&text);
            let unescaped = |part: &str| unescape(part).ok_or(BadEscape { line });
            Ok(Property { line, key: unescaped(key)?, value: unescaped(value)? })
        })
        .collect()
}

/// Lines with their continuations, without comments and blank lines.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (index, natural) in text.lines().enumerate() {
        let line = natural.trim_start_matches([' ', '\t', '\u{c}']).trim_end_matches('\r');
        if !continues && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
        let has_more = backslashes % 2 == 1;
        let line = if has_more { line.strip_suffix('\\').unwrap_or(line) } else { line };
        match lines.last_mut().filter(|_| continues) {
            Some((_, begun)) => begun.push_str(line),
            None => lines.push((index.saturating_add(1), line.to_owned())),
        }
        continues = has_more;
    }
    lines
}

/// The key ends at the first `=`, `:` or blank that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let blank = [' ', '\t', '\u{c}'];
    let mut is_escaped = false;
    let end = line.find(|character: char| {
        let ends = !is_escaped && (blank.contains(&character) || matches!(character, '=' | ':'));
        is_escaped = character == '\\' && !is_escaped;
        ends
    });
    let (key, rest) = end.and_then(|end| line.split_at_checked(end)).unwrap_or((line, ""));
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(blank))
}

fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    let mut buffer = [0; 2];
    while let Some(character) = rest.next() {
        let plain = match character {
            '\\' => match rest.next() {
                None => break,
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    let is_hexadecimal = digits.chars().all(|digit| digit.is_ascii_hexdigit());
                    units.push(
                        u16::from_str_radix(&digits, 16)
                            .ok()
                            .filter(|_| is_hexadecimal && digits.len() == 4)?,
                    );
                    continue;
                }
                Some(other) => other,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut buffer));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        let read = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        read.into_iter().map(|property| (property.line, property.key, property.value)).collect()
    }

    fn one(text: &str) -> (String, String) {
        let mut read = pairs(text);
        assert_eq!(read.len(), 1, "{text:?}");
        let (_, key, value) = read.remove(0);
        (key, value)
    }

    #[test]
    fn the_syntax_is_that_of_java() {
        for (text, key, value) in [
            ("spark.a b", "spark.a", "b"),
            ("spark.a\t\t b c", "spark.a", "b c"),
            ("spark.a=b", "spark.a", "b"),
            ("spark.a = b", "spark.a", "b"),
            ("  spark.a : b", "spark.a", "b"),
            ("spark.a==b", "spark.a", "=b"),
            ("spark.a = = b", "spark.a", "= b"),
            ("spark.a", "spark.a", ""),
            ("spark.a\\=b=c", "spark.a=b", "c"),
            ("spark.a\\ b c", "spark.a b", "c"),
            ("spark.a \\u00e9\\t\\q\\\\", "spark.a", "é\tq\\"),
            ("spark.a \\uD83D\\uDE00", "spark.a", "😀"),
            ("spark.a b \\\n    c\\\r\n # d", "spark.a", "b c# d"),
            ("spark.a b\\\\", "spark.a", "b\\"),
            ("spark.a b\\", "spark.a", "b"),
            ("spark.a b # no comment", "spark.a", "b # no comment"),
        ] {
            assert_eq!(one(text), (key.to_owned(), value.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn comments_and_blank_lines_count_as_lines_only() {
        let text = "# a\n! b\n\n   # c\nspark.a 1\\\n2\n\nspark.b 2\n";
        assert_eq!(
            pairs(text),
            [(5, "spark.a".to_owned(), "12".to_owned()), (8, "spark.b".to_owned(), "2".to_owned())]
        );
    }

    #[test]
    fn a_bad_escape_says_where() {
        for text in ["\nspark.a \\u12", "\nspark.a \\u12G4", "\nspark.a \\u+123"] {
            assert_eq!(parse(text), Err(BadEscape { line: 2 }), "{text:?}");
        }
    }
}
