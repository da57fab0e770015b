//! The Service by which the API server reaches the webhook, and the endpoints behind it.

use k8s_openapi::api::admissionregistration::v1::ServiceReference;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::checks::{Check, CheckId};
use super::facts::{Facts, Seen};

/// The port of a ServiceReference that names none.
const DEFAULT_PORT: i32 = 443;

/// The checks of the Service; none where the webhook is called by URL.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let reference = facts.entry().and_then(|entry| entry.client_config.service.as_ref());
    let Some(reference) = reference else { return Vec::new() };
    let mut checks = Vec::new();
    let service = match &facts.service {
        Seen::Unread => return checks,
        Seen::Absent => {
            checks.push(Check::fail(
                CheckId::Service,
                format!("there is no Service {}", name(reference)),
                "Create it, or correct clientConfig.service of the webhook configuration.",
            ));
            return checks;
        }
        Seen::Found(service) => service,
    };
    let Some(port) = port(reference, service) else {
        let ports: Vec<String> = ports(service).iter().map(|port| port.port.to_string()).collect();
        checks.push(Check::fail(
            CheckId::Service,
            format!("{} has no port {}; it has {}", name(reference), number(reference), ports.join(", ")),
            "Correct clientConfig.service.port of the webhook configuration, or the Service.",
        ));
        return checks;
    };
    checks.push(Check::pass(CheckId::Service, format!("{}:{}", name(reference), number(reference))));
    if let Seen::Found(slices) = &facts.endpoints {
        checks.push(match addresses(slices, port).as_slice() {
            [] => Check::fail(
                CheckId::Endpoints,
                format!("no endpoint of {} is ready", name(reference)),
                "Look at the pods of the Deployment: are there any, does the Service select them, do they become ready?",
            ),
            [one] => Check::warn(
                CheckId::Endpoints,
                format!("only {one} is ready: while it restarts, executors start as Spark wrote them"),
                "Run two replicas.",
            ),
            several => Check::pass(CheckId::Endpoints, several.join(", ")),
        });
    }
    checks
}

/// The ready endpoints that the API server may call, as `address:port`, in their order.
pub fn endpoints(reference: &ServiceReference, service: &Service, slices: &[EndpointSlice]) -> Vec<String> {
    port(reference, service).map(|port| addresses(slices, port)).unwrap_or_default()
}

fn name(reference: &ServiceReference) -> String {
    format!("{}/{}", reference.namespace, reference.name)
}

fn number(reference: &ServiceReference) -> i32 {
    reference.port.unwrap_or(DEFAULT_PORT)
}

fn ports(service: &Service) -> &[ServicePort] {
    service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default()
}

/// The port of the Service that is called.
fn port<'s>(reference: &ServiceReference, service: &'s Service) -> Option<&'s ServicePort> {
    ports(service).iter().find(|port| port.port == number(reference))
}

fn addresses(slices: &[EndpointSlice], port: &ServicePort) -> Vec<String> {
    let wanted = port.name.as_deref().unwrap_or_default();
    let mut addresses = Vec::new();
    for slice in slices {
        let ports = slice.ports.as_deref().unwrap_or_default();
        let port = ports.iter().find(|port| port.name.as_deref().unwrap_or_default() == wanted);
        let Some(port) = port.and_then(|port| port.port) else { continue };
        for endpoint in &slice.endpoints {
            // Unknown counts as ready, as the API says.
            let conditions = endpoint.conditions.as_ref();
            if conditions.and_then(|conditions| conditions.ready).unwrap_or(true) {
                // Several addresses are the same endpoint.
                let address = endpoint.addresses.first().map(|address| joined(address, port));
                addresses.extend(address);
            }
        }
    }
    addresses.sort();
    addresses.dedup();
    addresses
}

fn joined(address: &str, port: i32) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}
