//! How checks are shown.

use rstest::rstest;
use spark_swap::cli::check::checks;
use spark_swap::cli::check::facts::Seen;
use spark_swap::cli::check::report::{Marks, Output, shown};
use spark_swap::server::handshake::Outcome;
use spark_swap::sizing::labels::Labels;

use crate::installation::{entry, unchanged_probe, working};

#[test]
fn a_working_installation() {
    let checks = checks::all(&working());
    insta::assert_snapshot!(shown(&checks, Output::Text, Marks::Signs).unwrap());
}

#[test]
fn a_broken_installation() {
    let mut facts = working();
    facts.definition = Seen::Absent;
    entry(&mut facts).failure_policy = Some("Fail".to_owned());
    facts.handshakes[1].outcome = Outcome::NoTls("the connection was closed".to_owned());
    facts.parts.nodes[0].labels = Labels::default();
    facts.probe = Some(unchanged_probe());
    let checks = checks::all(&facts);
    insta::assert_snapshot!(shown(&checks, Output::Text, Marks::Words).unwrap());
}

#[test]
fn programs_get_a_list() {
    let mut facts = working();
    facts.definition = Seen::Absent;
    let checks = checks::all(&facts);
    let few = checks.get(2..5).unwrap();
    insta::assert_snapshot!("json", shown(few, Output::Json, Marks::Words).unwrap());
    insta::assert_snapshot!("yaml", shown(few, Output::Yaml, Marks::Words).unwrap());
}

#[rstest]
#[case(true, Some("en_US.UTF-8"), Marks::Signs)]
#[case(true, Some("C.utf8"), Marks::Signs)]
#[case(true, Some("C"), Marks::Words)]
#[case(true, None, Marks::Words)]
#[case(false, Some("en_US.UTF-8"), Marks::Words)]
fn signs_are_for_terminals_that_can_show_them(
    #[case] is_terminal: bool,
    #[case] locale: Option<&str>,
    #[case] marks: Marks,
) {
    assert_eq!(Marks::of(is_terminal, locale), marks);
}
