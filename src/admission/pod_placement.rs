//! The pod's placement with what its class adds.

use std::borrow::Cow;

use crate::sizing::class::ClassNodes;
use crate::sizing::placement::{NodeSelectorTerm, Placement, Requirement, Toleration};

use super::pod::{Spec, WireRequirement, WireTerm, WireToleration};
use super::reason::Reason;
use super::text::Text;

/// Where the pod may land under its class. `PinConflict` where the class selects another value of a key that the
/// pod's own nodeSelector has.
pub fn placement<'p>(spec: &'p Spec<'_>, class: &'p ClassNodes) -> Result<Placement<'p>, Reason> {
    let own = spec.node_selector.as_ref();
    let mut node_selector: Vec<(Cow<'p, str>, Cow<'p, str>)> = own
        .into_iter()
        .flat_map(|selector| &selector.0)
        .map(|(key, value)| (Cow::Borrowed(key.as_str()), Cow::Borrowed(value.as_str())))
        .collect();
    for (key, value) in &class.selector {
        match own.and_then(|selector| selector.get(key)) {
            None => node_selector.push((Cow::Borrowed(key), Cow::Borrowed(value))),
            Some(own) if own == value => {}
            Some(_) => return Err(Reason::PinConflict),
        }
    }
    let own_tolerations = spec.tolerations.as_deref().unwrap_or_default().iter().map(toleration);
    Ok(Placement {
        node_name: spec.node_name.as_ref().map(borrowed).filter(|name| !name.is_empty()),
        node_selector,
        required_terms: required_terms(spec).map(|terms| terms.iter().map(term).collect()),
        tolerations: own_tolerations.chain(class.tolerations.iter().cloned()).collect(),
    })
}

/// The class's tolerations that the pod does not have yet.
pub fn missing_tolerations<'c>(spec: &Spec<'_>, class: &'c ClassNodes) -> Vec<&'c Toleration<'static>> {
    let own = spec.tolerations.as_deref().unwrap_or_default();
    class.tolerations.iter().filter(|added| !own.iter().any(|own| toleration(own) == **added)).collect()
}

/// The terms of the required node affinity, as written.
pub fn required_terms<'p, 'a>(spec: &'p Spec<'a>) -> Option<&'p [WireTerm<'a>]> {
    spec.affinity.as_ref()?.node_affinity.as_ref()?.required.as_ref()?.node_selector_terms.as_deref()
}

fn term<'p>(wire: &'p WireTerm<'_>) -> NodeSelectorTerm<'p> {
    let requirements = |list: &'p Option<Vec<WireRequirement<'_>>>| {
        list.as_deref().unwrap_or_default().iter().map(requirement).collect()
    };
    NodeSelectorTerm {
        expressions: requirements(&wire.match_expressions),
        fields: requirements(&wire.match_fields),
    }
}

fn requirement<'p>(wire: &'p WireRequirement<'_>) -> Requirement<'p> {
    Requirement {
        key: text(wire.key.as_ref()),
        operator: text(wire.operator.as_ref()),
        values: wire.values.as_deref().unwrap_or_default().iter().map(borrowed).collect(),
    }
}

fn toleration<'p>(wire: &'p WireToleration<'_>) -> Toleration<'p> {
    Toleration {
        key: text(wire.key.as_ref()),
        operator: text(wire.operator.as_ref()),
        value: text(wire.value.as_ref()),
        effect: text(wire.effect.as_ref()),
        seconds: wire.toleration_seconds,
    }
}

fn text<'p>(wire: Option<&'p Text<'_>>) -> Cow<'p, str> {
    wire.map_or(Cow::Borrowed(""), borrowed)
}

fn borrowed<'p>(wire: &'p Text<'_>) -> Cow<'p, str> {
    Cow::Borrowed(wire.as_str())
}
