//! `docs/metrics.md` is made from the registry (`make docs` writes it), and alerts and dashboards name what is in it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spark_swap::cluster::objects::Kind;
use spark_swap::server::metrics::reference::{Reference, Values, reference, unit};
use spark_swap::server::metrics::{Described, Metrics, Outcome};

use crate::harness::record;

const INTRODUCTION: &str = "\
<!-- Made from the code: change the words there and run `make docs`. -->

# Metrics

`/metrics` on the admin port (8080) shows them as OpenMetrics text, every replica its own. Labels are words of spark-swap or
names of existing SwapClasses, never text from a request. `manifests/components/alerts` has alerts for the Prometheus
operator, `manifests/dashboards/spark-swap.json` a dashboard for Grafana.
";

#[test]
fn the_page_is_what_the_registry_says() {
    let path = repository().join("docs/metrics.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/metrics.md is not what the code says; run: UPDATE_DOCS=1 cargo test --test server"
    );
}

/// A value that the page does not name would surprise whoever alerts on the others.
#[test]
fn the_page_names_every_label_and_value_that_is_shown() {
    let metrics = Metrics::new();
    metrics.answered(&record("1"), Duration::ZERO);
    for outcome in Outcome::ALL {
        metrics.failed(outcome, "", Duration::ZERO);
    }
    for kind in Kind::ALL.iter().copied() {
        metrics.state_objects(kind, 1);
        metrics.watch_failed(kind.as_str());
    }
    let text = metrics.encode().unwrap();
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').unwrap().0;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let metric = metric_of(name).unwrap_or_else(|| panic!("{name} is not registered"));
        for label in labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once('=').unwrap();
            assert!(label == "le" || is_named(&metric, label, value.trim_matches('"')), "{line}");
        }
        seen.insert(metric.name);
    }
    let registered: BTreeSet<_> = metrics.described().iter().map(|metric| metric.name.clone()).collect();
    assert_eq!(seen, registered, "a metric is shown by nothing that this test does");
}

#[test]
fn alerts_and_dashboards_ask_for_nothing_that_is_not_there() {
    let mut names = BTreeSet::new();
    for file in ["components/alerts/prometheusrule.yaml", "dashboards/spark-swap.json"] {
        let text = fs::read_to_string(repository().join("manifests").join(file)).unwrap().replace('\\', "");
        for (place, _) in text.match_indices("spark_swap_") {
            let rest = &text[place..];
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap();
            let (name, selector) = (&rest[..end], rest[end..].strip_prefix('{').unwrap_or("}"));
            let metric = metric_of(name).unwrap_or_else(|| panic!("{file}: {name} is not registered"));
            for matcher in selector[..selector.find('}').unwrap()].split(',').filter(|text| !text.is_empty())
            {
                let (label, values) = matcher.split_once(['=', '!']).unwrap();
                let values = values.trim_start_matches(['=', '~']).trim_matches('"');
                for value in values.split('|') {
                    assert!(is_named(&metric, label, value), "{file}: {name}: {matcher}");
                }
            }
            names.insert(name.to_owned());
        }
    }
    assert!(names.len() > 10, "{names:?}");
}

#[test]
fn the_alerts_are_a_prometheus_rule_and_the_dashboard_has_panels() {
    let rule =
        fs::read_to_string(repository().join("manifests/components/alerts/prometheusrule.yaml")).unwrap();
    let rule = spark_swap::cluster::documents::parse_documents(&rule).unwrap().remove(0);
    assert_eq!(
        (&rule["apiVersion"], &rule["kind"]),
        (&"monitoring.coreos.com/v1".into(), &"PrometheusRule".into())
    );
    for alert in rule["spec"]["groups"][0]["rules"].as_array().unwrap() {
        for text in [&alert["alert"], &alert["expr"], &alert["labels"]["severity"]] {
            assert!(text.is_string(), "{alert}");
        }
        for text in ["summary", "description"] {
            assert!(alert["annotations"][text].is_string(), "{alert}");
        }
    }
    let dashboard = fs::read(repository().join("manifests/dashboards/spark-swap.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_slice(&dashboard).unwrap();
    assert!(
        dashboard["panels"].as_array().unwrap().iter().all(|panel| panel["targets"][0]["expr"].is_string())
    );
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(
        "\n| metric | type | unit | labels | meaning | alert on |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for Described { name, kind, help } in Metrics::new().described() {
        let reference = described(name);
        let labels: Vec<&str> = reference.labels.iter().map(|label| label.name).collect();
        let (labels, unit, alert) = (labels.join(", "), unit(name), reference.alert);
        writeln!(page, "| `{name}` | {kind} | {unit} | {labels} | {help}. | {alert} |").unwrap();
    }
    page.push_str("\n## Labels\n\n| metric | label | values |\n| --- | --- | --- |\n");
    for Described { name, .. } in Metrics::new().described() {
        for label in described(name).labels {
            let values = match label.values {
                Values::Any(values) => values.to_owned(),
                Values::OneOf(values) => {
                    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
                }
            };
            writeln!(page, "| `{name}` | {} | {values} |", label.name).unwrap();
        }
    }
    page
}

fn described(name: &str) -> Reference {
    reference(name).unwrap_or_else(|| panic!("src/server/metrics/reference.rs says nothing of {name}"))
}

/// The metric that a series belongs to.
fn metric_of(series: &str) -> Option<Described> {
    let metrics = Metrics::new();
    let of = |name: &str| metrics.described().iter().find(|metric| metric.name == name).cloned();
    let of_histogram = || {
        let name = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix))?;
        of(name).filter(|metric| metric.kind == "histogram")
    };
    of(series).or_else(of_histogram)
}

fn is_named(metric: &Described, label: &str, value: &str) -> bool {
    described(&metric.name).labels.iter().filter(|known| known.name == label).any(|known| {
        match &known.values {
            Values::Any(_) => true,
            Values::OneOf(values) => values.contains(&value),
        }
    })
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
