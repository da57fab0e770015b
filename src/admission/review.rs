//! The wire format: AdmissionReview v1, borrowed in and serialised straight to bytes out.
//!
//! Our own types: kube's send the patch as an array of numbers, and decode the pod into a tree.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::answer::Malformed;
use super::object::{Object, object};
use super::operation::Operation;
use super::pod::Pod;
use super::text::Text;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The request of a review; `O` is the object's type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a, O> {
    /// `uid`; echoed in the answer.
    #[serde(borrow, default)]
    pub uid: Option<Text<'a>>,
    /// `kind`.
    #[serde(borrow, default, deserialize_with = "object")]
    kind: Option<Kind<'a>>,
    /// `subResource`.
    #[serde(borrow, default)]
    sub_resource: Option<Text<'a>>,
    /// `operation`.
    #[serde(borrow, default)]
    operation: Option<Text<'a>>,
    /// `namespace`.
    #[serde(borrow, default)]
    pub namespace: Option<Text<'a>>,
    /// `name`; empty with generateName.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    /// `dryRun`.
    #[serde(default)]
    dry_run: Option<bool>,
    /// `object`.
    #[serde(default = "Option::default")]
    pub object: Option<O>,
}

#[derive(Debug, Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    group: Option<Text<'a>>,
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: Deserialize<'de>"))]
struct Review<'a, O> {
    #[serde(borrow, default)]
    api_version: Option<Text<'a>>,
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(default = "Option::default", deserialize_with = "object")]
    request: Option<Request<'a, O>>,
}

/// Reads a review. An object that is not shaped like a pod reads as none: it is somebody else's to refuse.
pub fn read(body: &[u8]) -> Result<Request<'_, Pod<'_>>, Malformed> {
    // Once for the whole body is cheaper than for every string.
    let body = std::str::from_utf8(body).map_err(|error| Malformed::NotAReview(error.to_string()))?;
    let review = match serde_json::from_str::<Object<Review<'_, Object<Pod<'_>>>>>(body) {
        Ok(Object(review)) => review.with_object(|Object(pod)| Some(pod)),
        Err(_) => serde_json::from_str::<Object<Review<'_, IgnoredAny>>>(body)
            .map_err(|error| Malformed::NotAReview(error.to_string()))?
            .0
            .with_object(|_| None),
    };
    let text =
        |text: &Option<Text<'_>>| text.as_ref().map_or_else(String::new, |text| text.as_str().to_owned());
    let (api_version, kind) = (text(&review.api_version), text(&review.kind));
    if api_version != API_VERSION || kind != KIND {
        return Err(Malformed::WrongKind { api_version, kind });
    }
    review
        .request
        .filter(|request| request.uid.as_ref().is_some_and(|uid| !uid.as_str().is_empty()))
        .ok_or(Malformed::NoUid)
}

impl<'a, O> Review<'a, O> {
    fn with_object<P>(self, read: impl FnOnce(O) -> Option<P>) -> Review<'a, P> {
        let request = self.request.map(|request| Request {
            uid: request.uid,
            kind: request.kind,
            sub_resource: request.sub_resource,
            operation: request.operation,
            namespace: request.namespace,
            name: request.name,
            dry_run: request.dry_run,
            object: request.object.and_then(read),
        });
        Review { api_version: self.api_version, kind: self.kind, request }
    }
}

impl<O> Request<'_, O> {
    /// Nothing is stored, whatever the answer.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run == Some(true)
    }

    /// The request creates a pod. A field that is missing does not speak against it.
    pub fn creates_pod(&self) -> bool {
        let is = |text: Option<&Text<'_>>, wanted: &str| text.is_none_or(|text| text.as_str() == wanted);
        is(self.operation.as_ref(), "CREATE")
            && is(self.kind.as_ref().and_then(|kind| kind.group.as_ref()), "")
            && is(self.kind.as_ref().and_then(|kind| kind.kind.as_ref()), "Pod")
            && is(self.sub_resource.as_ref(), "")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReviewOut<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: ResponseOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseOut<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<AuditAnnotations<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// Audit annotations; the API server prefixes the keys with the webhook's name.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AuditAnnotations<'a> {
    /// The reason.
    pub reason: &'a str,
    /// The class.
    pub class: &'a str,
    /// The bound, for a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<&'a str>,
}

/// Writes the answer: always allowed; `patch` and `patchType` both or neither. There is nothing to audit where nothing
/// was decided.
pub fn write(
    uid: &str,
    operations: &[Operation],
    audit: Option<AuditAnnotations<'_>>,
    warnings: &[String],
) -> Vec<u8> {
    let patch = (!operations.is_empty())
        .then(|| serde_json::to_vec(operations).ok())
        .flatten()
        .map(|patch| STANDARD.encode(patch));
    let review = ReviewOut {
        api_version: API_VERSION,
        kind: KIND,
        response: ResponseOut {
            uid,
            allowed: true,
            patch_type: patch.as_ref().map(|_| "JSONPatch"),
            patch,
            audit_annotations: audit,
            warnings,
        },
    };
    serde_json::to_vec(&review).unwrap_or_default()
}
