//! spark-swap with real parts: the Kubernetes control plane, Spark's own driver
//! and the kubelet's own arithmetic. `README.md` beside this file says how to run it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::needless_pass_by_value
)]

// The real parts, and what the tests need to talk about them.
mod audit;
mod cert_manager;
mod classes;
mod control_plane;
mod deployment;
mod dry_run;
mod helm;
mod hollow_kubelet;
mod http;
mod installation;
mod kubectl;
mod load;
mod nodes;
mod operator;
mod oracle;
mod other_webhook;
mod parts;
mod pods;
mod process;
mod random_class;
mod resources;
mod scenario;
mod service_account;
mod site;
mod spark;
mod wait;
mod webhook;

// The tests, by subject.
mod api_outage;
mod cert_manager_mode;
mod certificates;
mod check;
mod class_agreement;
mod class_selection;
mod class_status;
mod client_certificates;
mod crd;
mod decisions_told;
mod declarative;
mod demo;
mod density;
mod events;
mod explain;
mod harness;
mod install;
mod kubelet_oracle;
mod limit_range_oracle;
mod limit_ranges;
mod live_spark;
mod live_state;
mod miss_detector;
mod node_labels;
mod other_webhooks;
mod outage;
mod packaging;
mod plan;
mod proof_oracle;
mod quantity_oracle;
mod quotas;
mod request_below_limit;
mod rights;
mod safety_net;
mod scheduling_oracle;
mod scope;
mod spark_operator;
mod statefulset;
