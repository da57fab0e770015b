//! `docs/checks.md` is made from the code. `make docs` writes it.

use std::fmt::Write;
use std::path::Path;

use spark_swap::cli::check::checks::CheckId;

const INTRODUCTION: &str = "\
<!-- Made from the code: change the words there and run `make docs`. -->

# Checks

What `spark-swap check` looks at, in its order. The title is true when a check passes. The id is what `-o json` and
`-o yaml` call it; it never changes its meaning. A check whose subject is not there, or cannot be read, is left out:
another one says so.
";

#[test]
fn the_page_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/checks.md is not what the code says; run: UPDATE_DOCS=1 cargo test --test check"
    );
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut group = None;
    for check in CheckId::ALL {
        if group.replace(check.group()) != Some(check.group()) {
            writeln!(
                page,
                "\n## {}\n\n| id | title | what is checked |\n| --- | --- | --- |",
                check.group().text()
            )
            .unwrap();
        }
        writeln!(page, "| {} | {} | {} |", check.id(), check.text(), check.about()).unwrap();
    }
    page
}
