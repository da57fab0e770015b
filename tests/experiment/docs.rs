//! `docs/experiment.md` and its plots are drawn from the numbers in `docs/experiment`. `make docs` draws them.

use std::path::Path;

use spark_swap::cluster::api::SwapClassSpec;

use crate::arm::Arms;
use crate::boot::repository;
use crate::report::{self, PAGE, Recorded};

#[test]
fn the_page_and_the_plots_are_what_the_numbers_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arms = arms();
    let recorded = Recorded::of_csv(root, &arms).unwrap_or_else(|problem| panic!("{problem:#}"));
    let page = read(PAGE);
    let files = recorded.files(&arms, &page).unwrap_or_else(|problem| panic!("{problem:#}"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        report::write(root, &files).unwrap();
    }
    for (path, text) in &files {
        let found = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(
            found == *text,
            "{path} is not what the numbers give; run: UPDATE_DOCS=1 cargo test --test experiment"
        );
    }
}

#[test]
fn each_claim_of_the_readme_rests_on_arms_that_ran_and_says_where_they_did_not_come_out_as_expected() {
    let arms = arms();
    let results = Recorded::of_csv(&repository(""), &arms).unwrap().results;
    let readme = read("README.md");
    let (_, section) = readme.split_once("\n## What was measured\n").expect("README.md: What was measured");
    let section = section.split("\n## ").next().unwrap_or_default();
    let claims: Vec<&str> = section.lines().filter(|line| line.starts_with("| [")).collect();
    assert!(!claims.is_empty());
    for claim in claims {
        let named: Vec<_> = arms.iter().filter(|arm| claim.contains(&format!("`{}`", arm.name))).collect();
        assert!(!named.is_empty(), "no arm: {claim}");
        for arm in named {
            let family = arm.name.split('-').next().unwrap_or_default();
            assert!(
                claim.contains(&format!("(docs/experiment.md#{family})")),
                "{claim}: no link to {family}"
            );
            let not_met = results.not_met(arm).unwrap_or_else(|| panic!("{claim}: {} did not run", arm.name));
            let is_admitted = not_met.is_empty() || claim.contains("not as expected");
            assert!(is_admitted, "{claim}: {}: {not_met:?}", arm.name);
        }
    }
}

#[test]
fn links_into_the_page_lead_to_its_headings() {
    let page = read(PAGE);
    let headings: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let inside = page.split("](#").skip(1);
    let readme = read("README.md");
    let outside = readme.split("](docs/experiment.md#").skip(1);
    for link in inside.chain(outside) {
        let anchor = link.split(')').next().unwrap_or_default();
        assert!(headings.iter().any(|heading| heading == anchor), "no heading for #{anchor}");
    }
}

#[test]
fn the_defaults_that_the_page_explains_are_those_of_the_built_in_class() {
    let spec = serde_json::to_value(SwapClassSpec::default()).unwrap();
    let page = read(PAGE);
    let (_, section) = page.split_once("\n## What the defaults rest on\n").unwrap();
    let rows = section.split("\n## ").next().unwrap_or_default().lines();
    let rows: Vec<Vec<&str>> = rows
        .filter(|row| row.starts_with("| `"))
        .map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    assert!(rows.len() >= 5);
    for row in rows {
        let pointer = format!("/{}", row[1].replace('.', "/"));
        let value = spec.pointer(&pointer).unwrap_or_else(|| panic!("no {pointer} in a class"));
        assert_eq!(value.to_string().trim_matches('"'), row[2], "{}", row[1]);
    }
}

fn arms() -> Arms {
    Arms::read(&repository("tests/node/arms.yaml")).unwrap_or_else(|problem| panic!("{problem:#}"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}
