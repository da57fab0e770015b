//! The API server and SwapClass.

use rstest::rstest;
use serde_json::json;
use spark_swap::cli::check::checks::{self, CheckId, Status};
use spark_swap::cli::check::facts::{Facts, Seen, Unread};

use crate::installation::{assert_check, assert_left_out, bare, installed_definition, server, working};

#[test]
fn a_working_installation_passes_every_check() {
    let checks = checks::all(&working());
    let not_passed: Vec<_> = checks.iter().filter(|check| check.status != Status::Pass).collect();
    assert!(not_passed.is_empty(), "{not_passed:#?}");
    // But for node groups, of which there are none.
    assert_eq!(checks.len(), CheckId::ALL.len() - 1);
    let ids: Vec<CheckId> = checks.iter().map(|check| check.id).collect();
    let in_order: Vec<CheckId> = CheckId::ALL.iter().copied().filter(|id| ids.contains(id)).collect();
    assert_eq!(ids, in_order, "checks are made in the order in which they are listed");
}

#[test]
fn without_an_api_server_nothing_else_is_checked() {
    let facts = Facts::new(bare().now, Err("https://10.0.0.1:6443: no answer in time".to_owned()));
    assert_check(&facts, CheckId::ApiServer, Status::Fail, "no answer in time");
    assert_eq!(checks::all(&facts).len(), 1);
}

#[test]
fn what_may_not_be_read_is_warned_of_and_what_depends_on_it_left_out() {
    let mut facts = bare();
    facts.definition = Seen::Unread;
    facts.unread.push(Unread { what: "nodes".to_owned(), why: "nodes is forbidden".to_owned() });
    assert_check(&facts, CheckId::Access, Status::Warn, "nodes: nodes is forbidden");
    assert_left_out(&facts, CheckId::SwapClassCrd);
}

#[rstest]
#[case("1", "34", Status::Pass, "")]
#[case("1", "36+", Status::Pass, "")]
#[case("2", "0", Status::Pass, "")]
#[case("1", "33", Status::Warn, "node swap is beta")]
#[case("1", "32", Status::Warn, "nodes do not report their swap")]
#[case("1", "29", Status::Warn, "beta and off")]
#[case("1", "27", Status::Fail, "do not size swap")]
#[case("", "", Status::Fail, "")]
fn swap_is_ga_from_1_34(
    #[case] major: &str,
    #[case] minor: &str,
    #[case] status: Status,
    #[case] message: &str,
) {
    let mut facts = bare();
    facts.server = Ok(server(major, minor, &format!("v{major}.{minor}.1")));
    assert_check(&facts, CheckId::Version, status, message);
}

#[test]
fn a_missing_definition_fails() {
    let mut facts = bare();
    facts.definition = Seen::Absent;
    assert_check(&facts, CheckId::SwapClassCrd, Status::Fail, "does not know this kind");
    assert_left_out(&facts, CheckId::SwapClassSchema);
}

#[test]
fn a_definition_that_is_not_served_fails() {
    let mut conflicting = installed_definition();
    conflicting["status"]["conditions"][0] =
        json!({"type": "NamesAccepted", "status": "False", "message": "swapclasses is in use"});
    let mut other_version = installed_definition();
    other_version["spec"]["versions"][0]["name"] = json!("v1");
    for (definition, message) in [
        (conflicting, "NamesAccepted is not met: swapclasses is in use"),
        (other_version, "does not serve v1alpha1"),
    ] {
        let mut facts = bare();
        facts.definition = Seen::Found(definition);
        assert_check(&facts, CheckId::SwapClassCrd, Status::Fail, message);
    }
}

#[test]
fn a_schema_of_another_version_is_told_with_the_first_difference() {
    let mut installed = installed_definition();
    installed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["peakPercent"]
        ["maximum"] = json!(90);
    let mut facts = bare();
    facts.definition = Seen::Found(installed);
    assert_check(
        &facts,
        CheckId::SwapClassSchema,
        Status::Warn,
        "spec.properties.peakPercent.maximum is 90, expected 100",
    );
}
