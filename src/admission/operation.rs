//! One operation of a JSON patch (RFC 6902), and the values that operations write.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sizing::placement::Toleration;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// `add` or `replace`.
    pub op: &'static str,
    /// A JSON pointer (RFC 6901).
    pub path: String,
    /// The new value.
    pub value: Value,
}

/// What an operation writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A string.
    Text(String),
    /// A map of strings.
    Map(BTreeMap<String, String>),
    /// An environment variable.
    Env(NewEnvVar),
    /// A toleration.
    Toleration(NewToleration),
    /// A list of tolerations.
    Tolerations(Vec<NewToleration>),
    /// One requirement on a node label.
    Expression(NewExpression),
    /// A list of requirements.
    Expressions([NewExpression; 1]),
    /// A whole required node selector.
    NodeSelector(NewNodeSelector),
    /// A whole node affinity.
    NodeAffinity(NewNodeAffinity),
    /// A whole affinity.
    Affinity(NewAffinity),
}

/// An environment variable with a literal value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewEnvVar {
    pub(super) name: String,
    pub(super) value: String,
}

/// A toleration without its empty members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewToleration {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) key: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) operator: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) value: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) effect: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) toleration_seconds: Option<i64>,
}

/// `key operator value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewExpression {
    pub(super) key: &'static str,
    pub(super) operator: &'static str,
    pub(super) values: [String; 1],
}

/// A node selector of one term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewNodeSelector {
    pub(super) node_selector_terms: [NewTerm; 1],
}

/// A term of one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTerm {
    pub(super) match_expressions: [NewExpression; 1],
}

/// A node affinity with only its required part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewNodeAffinity {
    pub(super) required_during_scheduling_ignored_during_execution: NewNodeSelector,
}

/// An affinity with only a node affinity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewAffinity {
    pub(super) node_affinity: NewNodeAffinity,
}

impl From<&Toleration<'_>> for NewToleration {
    fn from(toleration: &Toleration<'_>) -> Self {
        Self {
            key: toleration.key.to_string(),
            operator: toleration.operator.to_string(),
            value: toleration.value.to_string(),
            effect: toleration.effect.to_string(),
            toleration_seconds: toleration.seconds,
        }
    }
}
