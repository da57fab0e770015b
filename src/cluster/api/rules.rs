//! What the schema's types cannot say: bounds, and rules in CEL with a message for whoever breaks them.
//!
//! They are as strict as [`crate::sizing::class_spec`], but for bounds on lengths: the API server refuses rules that could
//! be slow. `format` is known to Kubernetes from 1.32 on.

use kube::core::{Message, Rule, validate};
use schemars::Schema;
use serde_json::json;

use crate::sizing::class::SwapClass;
use crate::sizing::kubelet::PAGE;
use crate::sizing::label_syntax::{MAX_LABEL_LENGTH, MAX_SUBDOMAIN_LENGTH};

/// The longest quantity; Kubernetes itself writes no more than 20 characters.
const MAX_QUANTITY_LENGTH: usize = 64;
/// The longest label key: a prefix, a slash and a name.
const MAX_LABEL_KEY_LENGTH: usize = MAX_SUBDOMAIN_LENGTH + 1 + MAX_LABEL_LENGTH;
/// The most labels a selector may ask for.
const MAX_SELECTOR_LABELS: usize = 64;

pub(super) fn spec(schema: &mut Schema) {
    let default = SwapClass::built_in().working_set_percent;
    add(
        schema,
        Rule::new("self.workingSetPercent <= self.peakPercent").field_path(".workingSetPercent"),
        format!("must not be above spec.peakPercent; it is {default} unless set").as_str(),
    );
    add(
        schema,
        Rule::new("self.qosClass != 'Guaranteed' || self.swap.via != 'Kubelet'").field_path(".qosClass"),
        "Guaranteed needs an explicit backend in spec.swap.via: CrioAnnotation or NriMemoryQos",
    );
}

pub(super) fn swap(schema: &mut Schema) {
    add(
        schema,
        Rule::new("!has(self.maxPerExecutor) || self.via != 'Kubelet'").field_path(".maxPerExecutor"),
        "only for explicit backends; remove it, or set spec.swap.via to CrioAnnotation or NriMemoryQos",
    );
}

pub(super) fn positive(schema: &mut Schema) {
    quantity_above(schema, 0, "must be a quantity above 0, such as 512Mi");
}

pub(super) fn at_least_a_page(schema: &mut Schema) {
    // A fraction of a byte counts as a whole one.
    let message = format!("must be a quantity of at least {PAGE} bytes (a page), such as 4Gi");
    quantity_above(schema, PAGE.saturating_sub(1), &message);
}

pub(super) fn selector(schema: &mut Schema) {
    schema.insert("maxProperties".to_owned(), json!(MAX_SELECTOR_LABELS));
    add(
        schema,
        Rule::new("self.all(key, !format.qualifiedName().validate(key).hasValue())"),
        Message::Expression(
            "'the key ' + self.filter(key, format.qualifiedName().validate(key).hasValue())[0] + ' is not a label key: \
             [DNS name/]name, the name at most 63 letters, digits, - _ . with a letter or digit at both ends'"
                .to_owned(),
        ),
    );
    let mut value = Schema::default();
    value.insert("type".to_owned(), json!("string"));
    label_value(&mut value);
    schema.insert("additionalProperties".to_owned(), value.to_value());
}

pub(super) fn label_value(schema: &mut Schema) {
    schema.insert("maxLength".to_owned(), json!(MAX_LABEL_LENGTH));
    add(
        schema,
        Rule::new("!format.labelValue().validate(self).hasValue()"),
        "is not letters, digits, - _ . with a letter or digit at both ends",
    );
}

pub(super) fn toleration(schema: &mut Schema) {
    add(
        schema,
        Rule::new("self.?key.orValue('') != '' || self.?operator.orValue('') == 'Exists'").field_path(".key"),
        "is required unless the operator is Exists, which then matches every taint",
    );
    add(
        schema,
        Rule::new("self.?operator.orValue('') != 'Exists' || self.?value.orValue('') == ''")
            .field_path(".value"),
        "must be empty when the operator is Exists",
    );
    add(
        schema,
        Rule::new("!has(self.tolerationSeconds) || self.?effect.orValue('') == 'NoExecute'")
            .field_path(".effect"),
        "must be NoExecute when tolerationSeconds is set",
    );
}

pub(super) fn toleration_key(schema: &mut Schema) {
    schema.insert("maxLength".to_owned(), json!(MAX_LABEL_KEY_LENGTH));
    add(
        schema,
        Rule::new("self == '' || !format.qualifiedName().validate(self).hasValue()"),
        "is not a taint key: [DNS name/]name, the name at most 63 letters, digits, - _ . with a letter or digit at both \
         ends",
    );
}

/// Exponents of three digits are far beyond any size, and slow to compare.
fn quantity_above(schema: &mut Schema, bound: u64, message: &str) {
    schema.insert("maxLength".to_owned(), json!(MAX_QUANTITY_LENGTH));
    let rule = format!(
        "type(self) == string ? \
         self.matches('^[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{{1,2}})?$') \
         && quantity(self).isGreaterThan(quantity('{bound}')) \
         && !quantity(self).isGreaterThan(quantity('{}')) : self > {bound}",
        i64::MAX
    );
    add(schema, Rule::new(rule), message);
}

fn add(schema: &mut Schema, rule: Rule, message: impl Into<Message>) {
    // A rule is a handful of strings: it cannot fail to become JSON.
    drop(validate(schema, rule.message(message)));
}
