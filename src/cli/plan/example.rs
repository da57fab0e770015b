//! A class to compare with where there is none: the built-in one makes no room worth naming, and somebody who plans
//! before the first SwapClass exists wants to see what swap could do.

use super::report::Tried;
use crate::cli::pod_input::Subject;
use crate::cli::state_source::KnownState;
use crate::sizing::class::{Strategy, SwapClass};
use crate::sizing::state::CLASS_LABEL;

/// What the example is called.
const NAME: &str = "density";

/// Adds the example where no class is known and no executor names one; says which classes are tried then.
pub fn add(known: &mut KnownState, subjects: &[Subject], tried: Tried) -> Tried {
    let names_class = |subject: &Subject| String::from_utf8_lossy(&subject.review).contains(CLASS_LABEL);
    if tried != Tried::Own || !known.parts.classes.is_empty() || subjects.iter().any(names_class) {
        return tried;
    }
    let example = SwapClass { name: NAME.to_owned(), strategy: Strategy::Density, ..SwapClass::built_in() };
    known.notes.push(format!(
        "No SwapClass is known, so executors get the built-in {}. Class {NAME} is an example beside it: a class with \
         strategy: {} and every other default. Try classes of yours with --state FILE.",
        SwapClass::BUILT_IN,
        example.strategy
    ));
    known.parts.classes.push(example);
    Tried::Named([SwapClass::BUILT_IN, NAME].map(str::to_owned).to_vec())
}
