//! `docs/reasons.md` is made from the code. `make docs` writes it.

use std::fmt::Write;
use std::path::Path;

use spark_swap::admission::advice::what_to_do;
use spark_swap::admission::event_note::{EventType, event_type};
use spark_swap::admission::reason::{Notice, Reason};
use spark_swap::sizing::bound::Bound;

const INTRODUCTION: &str = "\
<!-- Made from the code: change the words there and run `make docs`. -->

# Reasons, bounds and warnings

Every decision has one reason. It is in the audit annotation `reason`, in the metric `spark_swap_reviews_total`, in the
logs and in `spark-swap explain`, always by the same word. A plan also has the bound that decided its sizes; it is in the
audit annotation `bound` and in the plan annotation `spark-swap.io/plan`. Warnings are sent to whoever creates the pod,
as `spark-swap WORD: text`.

Where the last column names a type, the owner of the executor (the driver pod in cluster mode, the StatefulSet of the
statefulset allocator) gets a Kubernetes Event of that type, once for each application and reason, with the sizes, what to
do, and the warnings: `kubectl describe pod DRIVER` or `kubectl events --for pod/DRIVER` shows it. Executors of a driver in
client mode have no owner. `spark-swap serve --events false` turns Events off.
";

#[test]
fn the_page_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reasons.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/reasons.md is not what the code says; run: UPDATE_DOCS=1 cargo test --test explain"
    );
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(
        "\n## Reasons\n\n| reason | what it means | what to do | Event |\n| --- | --- | --- | --- |\n",
    );
    for reason in Reason::ALL {
        let event = event_type(*reason).map_or("", EventType::as_str);
        writeln!(page, "| {reason} | {} | {} | {event} |", reason.text(), what_to_do(*reason)).unwrap();
    }
    page.push_str("\n## Bounds\n\n| bound | what it means |\n| --- | --- |\n");
    for bound in Bound::ALL {
        writeln!(page, "| {bound} | {} |", bound.text()).unwrap();
    }
    page.push_str("\n## Warnings\n\n| warning | what it means |\n| --- | --- |\n");
    for notice in Notice::ALL {
        writeln!(page, "| {notice} | {} |", notice.text()).unwrap();
    }
    page
}
