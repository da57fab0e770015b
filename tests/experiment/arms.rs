//! `tests/node/arms.yaml` and its classes.

use std::collections::BTreeSet;

use rstest::rstest;
use spark_swap::cluster::state_files;

use crate::arm::{Arms, as_shell, from_shell};
use crate::boot::repository;
use crate::experiment::shuffled;

fn arms() -> Arms {
    Arms::read(&repository("tests/node/arms.yaml")).unwrap_or_else(|problem| panic!("{problem:#}"))
}

#[test]
fn the_arms_are_valid() {
    let arms = arms();
    assert!(arms.iter().count() >= 10);
    assert_eq!(arms.get("overshoot-net").unwrap().parameters["JOB"], "python");
    assert_eq!(arms.get("dense-stock").unwrap().parameters["WEBHOOK"], "no");
}

#[test]
fn every_class_is_the_default_and_named_as_its_file() {
    for file in std::fs::read_dir(repository("tests/node/classes")).unwrap() {
        let path = file.unwrap().path();
        let parts =
            state_files::load(std::slice::from_ref(&path)).unwrap_or_else(|problems| panic!("{problems}"));
        let classes: Vec<_> =
            parts.classes.iter().map(|class| (class.name.as_str(), class.is_default)).collect();
        assert_eq!(classes, [(path.file_stem().unwrap().to_str().unwrap(), true)], "{}", path.display());
    }
}

const DEFAULTS: &str = "defaults: {JOB: cache, WEBHOOK: no, EVIDENCE: no, CLASS: ''}\n";

#[rstest]
#[case(
    "{name: a-b, shows: x, expects: {}, set: {JBO: x}}",
    "a-b: unknown parameter JBO: defaults lists those there are"
)]
#[case(
    "{name: a-b, shows: x, expects: {}, set: {WEBHOOK: yes, CLASS: absent}}",
    "a-b: CLASS: no file classes/absent.yaml"
)]
#[case(
    "{name: a-b, shows: x, expects: {}, set: {CLASS: present}}",
    "a-b: CLASS: nobody acts on it without WEBHOOK: yes"
)]
#[case(
    "{name: a-b, shows: x, expects: {}, set: {WEBHOOK: perhaps}}",
    "a-b: WEBHOOK: \"perhaps\" is neither yes nor no"
)]
#[case(
    "{name: A_b, shows: x, expects: {}}",
    "A_b: a name is FAMILY-VARIANT in small letters, digits and hyphens"
)]
#[case(
    "{name: a-b, shows: x, expects: {outcome: good}}",
    "a-b: expects.outcome: \"good\" is none of: done, failed, unfinished"
)]
#[case(
    "{name: a-b, shows: x, expects: {killed: 0}}",
    "a-b: expects.killed: nothing of this name is measured"
)]
#[case("{name: a-b, shows: x, expects: {lost: many}}", "a-b: no arm many")]
#[case("{name: a-b, shows: x, expects: {lost: '>='}}", "a-b: expects.lost: a number or an arm is missing")]
#[case("{name: a-b, shows: x, expects: {lost: 1.5}}", "a-b: expects.lost: \"1.5\" is not a whole number")]
#[case("{name: a-b, shows: x, expects: {}, also: y}", "also")]
fn what_is_wrong_with_an_arm_is_said_with_its_name(#[case] arm: &str, #[case] problem: &str) {
    let text = format!("{DEFAULTS}arms:\n- {arm}\n");
    let found = format!("{:#}", Arms::parse(&text, |class| class == "present").err().unwrap());
    assert!(found.contains(problem), "{found}");
}

#[test]
fn doubled_names_and_references_to_no_arm_are_refused() {
    let arm = "- {name: a-b, shows: x, expects: {}}\n";
    let rest =
        format!("families: {{c: {{}}}}\nplots: [{{name: p, without: a-b, with: c-d}}]\narms:\n{arm}{arm}");
    let found = format!("{:#}", Arms::parse(&format!("{DEFAULTS}{rest}"), |_| true).err().unwrap());
    assert_eq!(found, "families: c: no arm is of it\na-b: this name occurs twice\nplots: p: no arm c-d");
}

#[test]
fn expectations_are_said_as_they_were_written() {
    let expects = "{outcome: done, seconds: '<dense-stock', taskSeconds: '<= 110 % of dense-stock', exact: yes, lost: '>=1', jobSeconds: 12.5}";
    let text = format!("{DEFAULTS}arms: [{{name: dense-stock, shows: x, expects: {expects}}}]");
    let arms = Arms::parse(&text, |_| true).unwrap_or_else(|problem| panic!("{problem:#}"));
    let said: Vec<_> = arms.get("dense-stock").unwrap().expects.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "exact yes",
            "jobSeconds 12.5",
            "lost >=1",
            "outcome done",
            "seconds <dense-stock",
            "taskSeconds <=110 % of dense-stock"
        ]
    );
}

#[test]
fn parameters_survive_the_shell() {
    let mut parameters = arms().get("overshoot-net").unwrap().parameters.clone();
    parameters.insert("CLASS".to_owned(), "-Dx='y z' -Da=\"$b\"".to_owned());
    assert_eq!(from_shell(&as_shell(&parameters)).unwrap(), parameters);
}

#[test]
fn the_order_is_random_by_the_seed_and_has_every_arm_once_a_round() {
    let arms = arms();
    let list: Vec<_> = arms.iter().collect();
    let names = |seed| shuffled(&list, 3, seed).iter().map(crate::boot::Planned::name).collect::<Vec<_>>();
    assert_eq!(names(7), names(7));
    assert_ne!(names(7), names(8));
    for (round, names) in names(7).chunks(list.len()).enumerate() {
        let expected: BTreeSet<_> = list.iter().map(|arm| format!("{}-{}", arm.name, round + 1)).collect();
        assert_eq!(names.iter().cloned().collect::<BTreeSet<_>>(), expected);
    }
}
