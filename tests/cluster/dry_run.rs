//! Creations that the API server only tries: far more of them than kubectl could send in the same time.

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::control_plane::ControlPlane;

/// A connection to the API server.
pub(crate) struct DryRun {
    runtime: Runtime,
    client: Client,
}

/// What happens to fields that a schema does not know.
#[derive(Clone, Copy)]
pub(crate) enum UnknownFields {
    /// They are refused, as kubectl asks for.
    Refused,
    /// They are dropped.
    Dropped,
}

impl DryRun {
    pub(crate) fn new(cluster: &ControlPlane) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
            let options = KubeConfigOptions::default();
            Client::try_from(kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap())
        });
        Self { runtime, client: client.unwrap() }
    }

    /// The SwapClass as it would be stored, or the API server's refusal.
    pub(crate) fn swap_class(&self, class: &Value, unknown: UnknownFields) -> Result<Value, String> {
        let validation = match unknown {
            UnknownFields::Refused => "Strict",
            UnknownFields::Dropped => "Ignore",
        };
        let path = "/apis/spark-swap.io/v1alpha1/swapclasses";
        let request = http::Request::post(format!("{path}?dryRun=All&fieldValidation={validation}"))
            .header("Content-Type", "application/json")
            .body(class.to_string().into_bytes())
            .unwrap();
        self.runtime.block_on(self.client.request(request)).map_err(|error| match error {
            kube::Error::Api(status) => status.message,
            other => panic!("{other}"),
        })
    }
}
