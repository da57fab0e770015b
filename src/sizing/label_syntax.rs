//! The syntax of label keys, label values and object names.
//!
//! Mirrors `k8s.io/apimachinery/pkg/util/validation/validation.go`: `IsQualifiedName`, `IsValidLabelValue` and
//! `IsDNS1123Subdomain`. Each check answers with what is wrong, for a message of the form `"<text>" <answer>`.

/// The longest label value and the longest name part of a label key, in bytes.
pub const MAX_LABEL_LENGTH: usize = 63;
/// The longest object name and the longest prefix of a label key, in bytes.
pub const MAX_SUBDOMAIN_LENGTH: usize = 253;

/// A label key or a taint key: `name` or `prefix/name` (`IsQualifiedName`).
///
/// # Errors
/// What is wrong with it.
pub fn check_label_key(key: &str) -> Result<(), &'static str> {
    let name = match key.split_once('/') {
        None => key,
        Some((_, name)) if name.contains('/') => return Err("has more than one /"),
        Some((prefix, name)) => {
            check_dns_subdomain(prefix).map_err(|_| "has a prefix before the / that is not a DNS name")?;
            name
        }
    };
    if name.is_empty() {
        return Err("has no name");
    }
    if name.len() > MAX_LABEL_LENGTH {
        return Err("has a name of more than 63 characters");
    }
    if !is_label_text(name) {
        return Err("has a name that is not letters, digits, - _ . with a letter or digit at both ends");
    }
    Ok(())
}

/// A label value, possibly empty (`IsValidLabelValue`).
///
/// # Errors
/// What is wrong with it.
pub fn check_label_value(value: &str) -> Result<(), &'static str> {
    if value.len() > MAX_LABEL_LENGTH {
        return Err("has more than 63 characters");
    }
    if !value.is_empty() && !is_label_text(value) {
        return Err("is not letters, digits, - _ . with a letter or digit at both ends");
    }
    Ok(())
}

/// An object name: lower-case DNS labels separated by dots (`IsDNS1123Subdomain`).
///
/// # Errors
/// What is wrong with it.
pub fn check_dns_subdomain(name: &str) -> Result<(), &'static str> {
    if name.len() > MAX_SUBDOMAIN_LENGTH {
        return Err("has more than 253 characters");
    }
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_dns_label = |label: &str| label.bytes().all(inner) && has_ends(label, |byte| byte != b'-');
    if !name.split('.').all(is_dns_label) {
        return Err(
            "is not lower-case letters, digits, - and . with a letter or digit at both ends of every part",
        );
    }
    Ok(())
}

fn is_label_text(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().all(inner) && has_ends(text, |byte| byte.is_ascii_alphanumeric())
}

/// The text is not empty, and its first and last bytes are allowed there.
fn has_ends(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [only] => allowed(*only),
        [first, .., last] => allowed(*first) && allowed(*last),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The vectors are those of `validation_test.go` in apimachinery.

    #[test]
    fn label_keys_are_the_ones_the_api_server_takes() {
        for key in [
            "simple",
            "now-with-dashes",
            "1-starts-with-num",
            "1234",
            "simple/simple",
            "now-with-dashes/simple",
            "now.with.dots/simple",
            "now-with.dashes-and.dots/simple",
            "1-num.2-num/3-num",
            "1234/5678",
            "1.2.3.4/5678",
            "Uppercase_Is_OK_123",
            "example.com/Uppercase_Is_OK_123",
            "requests.storage-foo",
        ] {
            assert_eq!(check_label_key(key), Ok(()), "{key}");
        }
        assert_eq!(check_label_key(&"a".repeat(63)), Ok(()));
        let longest = format!("{}/{}", "a".repeat(253), "b".repeat(63));
        assert_eq!(check_label_key(&longest), Ok(()));
    }

    #[test]
    fn other_label_keys_are_refused() {
        for key in [
            "",
            "nospecialchars%^=@",
            "cantendwithadash-",
            "-cantstartwithadash-",
            "only/one/slash",
            "Example.com/abc",
            "example_com/abc",
            "example.com/",
            "/simple",
            "ümlaut",
            "a b",
            "a\n",
        ] {
            assert!(check_label_key(key).is_err(), "{key:?}");
        }
        assert!(check_label_key(&"a".repeat(64)).is_err());
        assert!(check_label_key(&format!("{}/abc", "a".repeat(254))).is_err());
    }

    #[test]
    fn label_values_are_the_ones_the_api_server_takes() {
        for value in ["", "simple", "now-with-dashes", "1_2.3", "end-with-num-1", "1234", "True", "yes"] {
            assert_eq!(check_label_value(value), Ok(()), "{value}");
        }
        assert_eq!(check_label_value(&"a".repeat(63)), Ok(()));
        for value in
            ["nospecialchars%^=@", "Tama-nui-te-rā.is.Māori.sun", "-leading", "trailing-", ".", "a/b", " "]
        {
            assert!(check_label_value(value).is_err(), "{value:?}");
        }
        assert!(check_label_value(&"a".repeat(64)).is_err());
    }

    #[test]
    fn object_names_are_the_ones_the_api_server_takes() {
        for name in
            ["a", "ab", "abc", "a1", "a-1", "a--1--2--b", "0", "01", "012", "a.a", "ab.1", "0.a", "a-1.b-2"]
        {
            assert_eq!(check_dns_subdomain(name), Ok(()), "{name}");
        }
        assert_eq!(check_dns_subdomain(&"a".repeat(253)), Ok(()));
        for name in
            ["", "A", "aBc", "-", "a-", "-a", "1-", "_", "a_b", ".", "a.", ".a", "a..b", "a.-b", "a@b", " a"]
        {
            assert!(check_dns_subdomain(name).is_err(), "{name:?}");
        }
        assert!(check_dns_subdomain(&"a".repeat(254)).is_err());
    }
}
