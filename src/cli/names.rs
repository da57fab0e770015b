//! Names of objects on the command line, as kubectl takes them.

use crate::sizing::label_syntax::check_dns_subdomain;

/// A namespace.
///
/// # Errors
/// It is none.
pub fn namespace(text: &str) -> Result<String, String> {
    label(text)
}

/// A pod: `NAME` or `pod/NAME`.
///
/// # Errors
/// What is wrong with it and how to write it.
pub fn pod(text: &str) -> Result<String, String> {
    of_kind(&["pod", "pods", "po"], text)
}

/// A node: `NAME` or `node/NAME`.
///
/// # Errors
/// What is wrong with it and how to write it.
pub fn node(text: &str) -> Result<String, String> {
    of_kind(&["node", "nodes", "no"], text)
}

/// An RFC 1123 label, as names of namespaces and Services are.
///
/// # Errors
/// It is none.
pub fn label(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    fits.then(|| text.to_owned()).ok_or_else(|| "expected lower-case letters, digits and '-'".to_owned())
}

/// Without the kind before it, of which the first word is the one that is told.
fn of_kind(words: &[&str], text: &str) -> Result<String, String> {
    let kind = words.first().copied().unwrap_or_default();
    let name = match text.split_once('/') {
        Some((word, name)) if words.contains(&word) => name,
        Some((word, _)) => return Err(format!("{word:?} is no {kind}; write NAME or {kind}/NAME")),
        None => text,
    };
    check_dns_subdomain(name).map_err(|problem| format!("{name:?} {problem}"))?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_and_nodes_are_named_as_for_kubectl() {
        for text in ["job-exec-1", "pod/job-exec-1", "pods/job-exec-1", "po/job-exec-1"] {
            assert_eq!(pod(text).as_deref(), Ok("job-exec-1"));
        }
        for text in ["ip-10-0-0-1.ec2.internal", "node/ip-10-0-0-1.ec2.internal"] {
            assert_eq!(node(text).as_deref(), Ok("ip-10-0-0-1.ec2.internal"));
        }
        for (text, problem) in [
            ("deployment/etl", "\"deployment\" is no pod; write NAME or pod/NAME"),
            ("node/a", "\"node\" is no pod"),
            ("a/b/c", "\"a\" is no pod"),
            ("pod/a/b", "\"a/b\" is not lower-case letters"),
            ("", "\"\" is"),
        ] {
            let error = pod(text).unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_namespace_is_not_asked_for() {
        assert_eq!(namespace("etl").as_deref(), Ok("etl"));
        for text in ["", "Etl", "a.b", "../kube-system", "-a"] {
            assert!(namespace(text).is_err(), "{text}");
        }
    }
}
