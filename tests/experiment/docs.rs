//! `docs/experiment.md` and its plots are drawn from the numbers in `docs/experiment`. `make docs` draws them.

use std::path::Path;

use crate::arm::Arms;
use crate::boot::repository;
use crate::report::{self, PAGE, Recorded};

#[test]
fn the_page_and_the_plots_are_what_the_numbers_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arms =
        Arms::read(&repository("tests/node/arms.yaml")).unwrap_or_else(|problem| panic!("{problem:#}"));
    let recorded = Recorded::of_csv(root, &arms).unwrap_or_else(|problem| panic!("{problem:#}"));
    let page = std::fs::read_to_string(root.join(PAGE)).unwrap();
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
