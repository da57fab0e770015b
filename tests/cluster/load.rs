//! Executors created all the time, while something else happens.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::Value;
use spark_swap::cluster::connection::ClusterFlags;

use crate::control_plane::ControlPlane;
use crate::pods;
use crate::wait;

/// Creates executors one after the other until it is stopped.
pub(crate) struct Load {
    created: Arc<Mutex<Vec<Created>>>,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Created {
    /// With the request that was planned.
    Stored(Option<u64>),
    Failed,
}

impl Created {
    /// It came back with a plan.
    pub(crate) fn is_planned(&self) -> bool {
        matches!(self, Self::Stored(Some(_)))
    }
}

impl Load {
    /// `executor` makes a pod of a name.
    pub(crate) fn start(
        cluster: &ControlPlane,
        namespace: &str,
        executor: impl Fn(&str) -> Value + Send + 'static,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let created = Arc::new(Mutex::new(Vec::new()));
        let flags = ClusterFlags { kubeconfig: Some(cluster.kubeconfig()), context: None };
        let (namespace, log) = (namespace.to_owned(), Arc::clone(&created));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let client = runtime.block_on(flags.connect()).unwrap().client;
            let pod = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
            let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &pod);
            for index in 0.. {
                let pod = executor(&format!("executor-{index}"));
                let pod = serde_json::from_value(pod).unwrap();
                let answer = runtime.block_on(api.create(&PostParams::default(), &pod));
                let outcome = answer.map_or(Created::Failed, |stored| {
                    let plan = pods::plan(&serde_json::to_value(stored).unwrap());
                    Created::Stored(plan.map(|plan| plan["request"]["to"].as_u64().unwrap()))
                });
                log.lock().unwrap().push(outcome);
                if stopped.recv_timeout(Duration::from_millis(20)) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self { created, stop, thread }
    }

    /// Waits for a number of outcomes from now on.
    pub(crate) fn wait_for(&self, count: usize, is_wanted: &dyn Fn(&Created) -> bool) {
        let from = self.created.lock().unwrap().len();
        wait::until("creations", wait::LIMIT, || {
            let created = self.created.lock().unwrap();
            let news = &created[from..];
            if news.iter().filter(|created| is_wanted(created)).count() >= count {
                Ok(())
            } else {
                Err(format!("{news:?}"))
            }
        });
    }

    /// Everything that was created.
    pub(crate) fn stop(self) -> Vec<Created> {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
        Arc::try_unwrap(self.created).unwrap().into_inner().unwrap()
    }
}
