//! Reads the facts: from the API server, and by handshakes with the webhook.

use std::net::IpAddr;

use futures_util::future::join_all;
use http::Uri;
use jiff::Timestamp;
use k8s_openapi::Resource;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams, Request};
use kube::client::Body;
use kube::core::Status;
use serde_json::Value;

use super::facts::{Answer, Facts, Probe, Seen, Server, Unread};
use super::{probe, service};
use crate::cli::progress::Progress;
use crate::cluster::connection::{Cluster, cause};
use crate::cluster::objects::{Kind, Object};
use crate::cluster::snapshot::{Listed, class_object, list, list_all, swap_classes};
use crate::server::handshake::{Handshake, Outcome, shake_hands};
use crate::sizing::fields::Problem;
use crate::sizing::state::Settings;

/// More endpoints than these are not looked at.
const ENDPOINTS: usize = 10;
const DEFINITION: &str = "swapclasses.spark-swap.io";

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// `--name`.
    pub name: Option<String>,
    /// The namespace of the dry-run executor.
    pub namespace: String,
    /// The webhook's settings.
    pub settings: Settings,
}

/// Reads everything, without ever failing: what cannot be read is a fact, too.
pub async fn gather(cluster: &Cluster, question: Question, progress: &Progress) -> Facts {
    let client = &cluster.client;
    let server = match client.apiserver_version().await {
        Ok(version) => Ok(Server { url: cluster.to_string(), version }),
        Err(error) => Err(format!("{cluster}: {}", cause(&error))),
    };
    let is_there = server.is_ok();
    let Question { name, namespace, settings } = question;
    let mut facts = Facts { name, namespace, settings, ..Facts::new(Timestamp::now(), server) };
    if is_there {
        progress.set("reading the webhook configuration");
        facts.read_installation(client).await;
        progress.set("reading the cluster's state");
        facts.read_classes(client).await;
        facts.read_state(client).await;
        progress.set("connecting to the webhook");
        facts.handshakes = handshakes(&facts, &cluster.server).await;
        progress.set("creating an executor as a dry run");
        facts.probe = Some(probe(client, &facts.namespace).await);
    }
    facts
}

impl Facts {
    async fn read_installation(&mut self, client: &Client) {
        let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let resource = ApiResource::from_gvk_with_plural(&kind, "customresourcedefinitions");
        let definitions = Api::<DynamicObject>::all_with(client.clone(), &resource);
        let definition = definitions.get_opt(DEFINITION).await;
        self.definition =
            self.seen("customresourcedefinitions", definition.map(|found| found.map(|it| it.data)));

        let configurations = Api::<MutatingWebhookConfiguration>::all(client.clone());
        let configurations = list_all(&configurations, ListParams::default()).await.map(Some);
        self.configurations = self.seen("mutatingwebhookconfigurations", configurations);

        let reference = self.entry().and_then(|entry| entry.client_config.service.clone());
        if let Some(reference) = reference {
            let services = Api::<Service>::namespaced(client.clone(), &reference.namespace);
            self.service = self.seen("services", services.get_opt(&reference.name).await);
            let slices = Api::<EndpointSlice>::namespaced(client.clone(), &reference.namespace);
            let label = format!("kubernetes.io/service-name={}", reference.name);
            self.endpoints = self.seen(
                "endpointslices",
                list_all(&slices, ListParams::default().labels(&label)).await.map(Some),
            );
        }
    }

    /// The SwapClasses, with their status; the valid ones are part of the state.
    async fn read_classes(&mut self, client: &Client) {
        let classes = match list_all(&swap_classes(client.clone()), ListParams::default()).await {
            // The definition is not there, which is a check of its own.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            found => found.map(Some),
        };
        self.classes = self.seen(Kind::SwapClass.plural(), classes);
        match &self.classes {
            Seen::Unread => self.unread_kinds.push(Kind::SwapClass),
            Seen::Absent => {}
            Seen::Found(classes) => {
                for class in classes {
                    if let Ok(class) = Object::read(Kind::SwapClass, &class_object(class.clone())) {
                        class.add_to(&mut self.parts);
                    }
                }
            }
        }
    }

    async fn read_state(&mut self, client: &Client) {
        for kind in Kind::ALL.iter().copied().filter(|kind| *kind != Kind::SwapClass) {
            let objects = list(client, kind).await.map(Some);
            let Seen::Found(objects) = self.seen(kind.plural(), objects) else {
                self.unread_kinds.push(kind);
                continue;
            };
            for Listed { name, object, .. } in objects {
                match Object::read(kind, &object) {
                    Ok(object) => object.add_to(&mut self.parts),
                    Err(problems) => {
                        let unread = |problem: &Problem| Unread {
                            what: format!("{kind} {name}"),
                            why: problem.to_string(),
                        };
                        self.unread.extend(problems.iter().map(unread));
                    }
                }
            }
        }
    }

    fn seen<T>(&mut self, what: &str, found: kube::Result<Option<T>>) -> Seen<T> {
        match found {
            Ok(Some(found)) => Seen::Found(found),
            Ok(None) => Seen::Absent,
            Err(error) => {
                self.unread.push(Unread { what: what.to_owned(), why: cause(&error) });
                Seen::Unread
            }
        }
    }
}

/// Handshakes with what the API server would call.
async fn handshakes(facts: &Facts, api_server: &str) -> Vec<Handshake> {
    let Some(MutatingWebhook { client_config, .. }) = facts.entry() else { return Vec::new() };
    if let Some(url) = &client_config.url {
        return by_url(url, api_server).await.into_iter().collect();
    }
    let (Some(reference), Seen::Found(service), Seen::Found(slices)) =
        (&client_config.service, &facts.service, &facts.endpoints)
    else {
        return Vec::new();
    };
    let name = format!("{}.{}.svc", reference.name, reference.namespace);
    let addresses = service::endpoints(reference, service, slices);
    join_all(addresses.into_iter().take(ENDPOINTS).map(|address| shake_hands(address, name.clone(), None)))
        .await
}

async fn by_url(url: &str, api_server: &str) -> Option<Handshake> {
    let uri: Uri = url.parse().ok()?;
    let name = host(&uri)?.to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let address = if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") };
    // Our own machine answers there, which is not the API server's unless that is here, too.
    let is_elsewhere =
        api_server.parse::<Uri>().ok().and_then(|uri| host(&uri).map(is_loopback)) != Some(true);
    if is_loopback(&name) && is_elsewhere {
        let outcome = Outcome::Unreachable("is the API server's own machine".to_owned());
        return Some(Handshake { address, name, outcome });
    }
    Some(shake_hands(address, name, None).await)
}

fn host(uri: &Uri) -> Option<&str> {
    uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn probe(client: &Client, namespace: &str) -> Probe {
    let sent = probe::executor();
    let opted_out = create(client, namespace, &probe::opted_out(&sent)).await;
    let plain = create(client, namespace, &sent).await;
    Probe { sent, plain, opted_out }
}

/// Creates a pod as a server-side dry run. By hand, because the warnings are in a header.
async fn create(client: &Client, namespace: &str, pod: &Value) -> Answer {
    match try_create(client, namespace, pod).await {
        Ok(answer) => answer,
        Err(error) => Answer::Failed(cause(&error)),
    }
}

async fn try_create(client: &Client, namespace: &str, pod: &Value) -> kube::Result<Answer> {
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let path = format!("/api/v1/namespaces/{namespace}/{}", <Pod as Resource>::URL_PATH_SEGMENT);
    let request = Request::new(path).create(&parameters, pod.to_string().into_bytes());
    let request = request.map_err(kube::Error::BuildRequest)?;
    let response = client.send(request.map(Body::from)).await?;
    let (code, is_success) = (response.status().as_u16(), response.status().is_success());
    let headers = response.headers().get_all("warning").into_iter();
    let warnings = headers.filter_map(|value| value.to_str().ok()).map(warning_text).collect();
    let body = response.into_body().collect_bytes().await?;
    if is_success {
        let pod = serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?;
        return Ok(Answer::Created { pod, warnings });
    }
    let status: Option<Status> = serde_json::from_slice(&body).ok();
    let message = status.map(|status| status.message).unwrap_or_default();
    let message = if message.is_empty() { String::from_utf8_lossy(&body).into_owned() } else { message };
    Ok(Answer::Refused { code, message })
}

/// The text of `299 - "text"`.
fn warning_text(value: &str) -> String {
    let text = value.split_once('"').and_then(|(_, rest)| rest.strip_suffix('"'));
    text.unwrap_or(value).replace("\\\"", "\"").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_header_is_read() {
        assert_eq!(warning_text(r#"299 - "would violate \"x\"""#), r#"would violate "x""#);
        assert_eq!(warning_text(r#"299 - "plain""#), "plain");
        assert_eq!(warning_text("odd"), "odd");
    }

    #[test]
    fn hosts_are_read_without_brackets() {
        let uri: Uri = "https://[::1]:8443/mutate".parse().unwrap();
        assert_eq!(host(&uri), Some("::1"));
        assert!(is_loopback("::1") && is_loopback("localhost") && !is_loopback("10.0.0.1"));
    }
}
