//! The answer that admits a pod as it is, for reviews that are not looked at. All it takes is the uid, which is near
//! the beginning of what the API server sends.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::review;

/// Allowed, no patch; with a warning where there is something to say.
pub fn answer(uid: &str, warning: Option<&str>) -> Vec<u8> {
    let warnings: Vec<String> = warning.map(str::to_owned).into_iter().collect();
    review::write(uid, &[], None, &warnings)
}

/// `request.uid` of a review of which only the beginning may have arrived, in whatever order its members come.
pub fn uid(beginning: &[u8]) -> Option<String> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_slice(beginning);
    // An error is the usual end: the uid is there, or the beginning is over.
    drop(Search { found: &mut found, in_request: false }.deserialize(&mut reader));
    found.filter(|uid| !uid.is_empty())
}

/// Reads an object until it has found the uid.
struct Search<'a> {
    found: &'a mut Option<String>,
    in_request: bool,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            match (self.in_request, name.as_str()) {
                (false, "request") => {
                    members.next_value_seed(Search { found: &mut *self.found, in_request: true })?;
                }
                (true, "uid") => {
                    *self.found = Some(members.next_value()?);
                    return Err(A::Error::custom("found"));
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIEW: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"705ab4f5","kind":{"uid":"x"}}}"#;

    #[test]
    fn the_uid_is_found_as_soon_as_it_is_there_and_not_before() {
        let end = REVIEW.find("705ab4f5\"").unwrap() + "705ab4f5\"".len();
        for length in 0..=REVIEW.len() {
            let expected = (length >= end).then_some("705ab4f5");
            assert_eq!(uid(&REVIEW.as_bytes()[..length]).as_deref(), expected, "{length}");
        }
    }

    #[test]
    fn members_may_come_in_any_order_and_only_the_uid_of_the_request_counts() {
        for (review, expected) in [
            (r#"{"uid":"no","request":{"object":{"metadata":{"uid":"no"}},"uid":"yes"}}"#, Some("yes")),
            (r#"{"request":{"uid":"with \"escapes\" \u00e4"}}"#, Some("with \"escapes\" ä")),
            (r#"{"response":{"uid":"no"}}"#, None),
            (r#"{"request":{"uid":""}}"#, None),
            (r#"{"request":{"uid":7}}"#, None),
            (r#"{"request":"uid"}"#, None),
            (r#"[{"request":{"uid":"no"}}]"#, None),
            ("", None),
            ("\u{fffd}", None),
        ] {
            assert_eq!(uid(review.as_bytes()).as_deref(), expected, "{review}");
        }
        assert_eq!(uid(b"{\"request\":{\"uid\":\"\xff\"}}"), None);
        assert_eq!(uid("[".repeat(1 << 20).as_bytes()), None);
    }

    #[test]
    fn the_answer_admits_and_says_no_more_than_it_knows() {
        let answer = String::from_utf8(answer("one", Some("busy"))).unwrap();
        let head = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":"#;
        assert_eq!(answer, format!(r#"{head}{{"uid":"one","allowed":true,"warnings":["busy"]}}}}"#));
    }
}
