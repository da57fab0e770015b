//! Certificates that nobody has to think about, in a cluster: watches the Secret and the webhook configuration, serves
//! what the Secret says and takes the steps that [`crate::cluster::certificates`] plans. Every replica does; there is no
//! leader.

mod act;
mod judged;
mod pace;
mod watched;

use std::fmt;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use self::act::{Act, Done, Outcome};
use self::pace::{Pace, Urgency, jitter, later};
use self::watched::{Failure, Seen, Watched};
use super::metrics::{Metrics, ReloadOutcome};
use super::published::CONFIGURATION;
use super::tls::{CertificatePair, ServedCertificate};
use crate::cluster::certificates::{
    Held, Kept, Material, Published, RotationPolicy, Step, adopt, plan_rotation,
};
use crate::cluster::one_object::{SecretName, Sighting, watch_one};
use crate::cluster::webhook_entry::{ca_bundle, entry};

/// By the wall clock, as timers stand still while a machine sleeps.
const LOOK_AGAIN: Duration = Duration::from_mins(4);

/// What is kept where, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where certificates and keys are kept.
    pub secret: SecretName,
    /// The webhook configuration whose caBundle is kept up to date.
    pub configuration: String,
    /// The name by which the API server calls, where no webhook configuration tells.
    pub service: String,
    /// Lifetimes and names.
    pub policy: RotationPolicy,
}

/// Keeps the certificate of one replica.
pub struct SelfManaged {
    settings: Arc<Settings>,
    /// When the Secret was read first.
    since: Option<Timestamp>,
    secret: Watched<Secret>,
    configuration: Watched<MutatingWebhookConfiguration>,
    /// What is served.
    held: Option<Arc<Material>>,
    /// What was wrong with the Secret last: said once, not at every look.
    problems: Vec<String>,
    /// It was said that nothing is served yet.
    is_waiting: bool,
    pace: Pace,
    served: Arc<ServedCertificate>,
    metrics: Arc<Metrics>,
}

impl SelfManaged {
    /// Serves nothing yet.
    pub fn new(settings: Settings, served: Arc<ServedCertificate>, metrics: Arc<Metrics>) -> Self {
        served.is_missing_because(format!("{} was not read yet", settings.secret));
        Self {
            settings: Arc::new(settings),
            since: None,
            secret: Watched::default(),
            configuration: Watched::default(),
            held: None,
            problems: Vec::new(),
            is_waiting: false,
            pace: Pace::default(),
            served,
            metrics,
        }
    }

    /// Goes on for ever in a cluster where spark-swap is installed. In another one it returns why it is none.
    pub async fn run(mut self, client: Client) -> String {
        let act = Act::new(client, Arc::clone(&self.settings));
        let mut secret = Box::pin(watch_one(act.secrets.clone(), &self.settings.secret.name));
        let mut configuration = Box::pin(watch_one(act.configurations.clone(), &self.settings.configuration));
        // One at a time, beside the watches.
        let mut acting: JoinSet<Done> = JoinSet::new();
        let mut next = Instant::now();
        loop {
            tokio::select! {
                Some(sighting) = secret.next() => self.saw_secret(sighting),
                Some(sighting) = configuration.next() => self.saw_configuration(sighting),
                Some(done) = acting.join_next() => {
                    if let Err(NothingInstalled(reason)) = self.take(done) {
                        return reason;
                    }
                }
                () = sleep_until(next), if acting.is_empty() => {}
            }
            match self.look() {
                Look::Act(urgency) if acting.is_empty() && self.pace.is_due(urgency) => {
                    self.secret.is_about_to_be_read();
                    self.configuration.is_about_to_be_read();
                    acting.spawn(act.clone().run(self.held.clone(), self.since));
                }
                Look::Act(urgency) => next = self.pace.next(urgency),
                Look::Wait(delay) => next = later(Instant::now(), delay),
            }
        }
    }

    fn saw_secret(&mut self, sighting: Sighting<Secret>) {
        let Err(Failure { problem, is_new }) = self.secret.saw(sighting) else {
            self.since = self.since.or_else(|| Some(Timestamp::now()));
            return;
        };
        self.metrics.watch_failed("Secret");
        if is_new {
            warn!(secret = %self.settings.secret, problem, "a watch failed; the last certificate stays in force");
            self.served.is_missing_because(problem);
        }
    }

    fn saw_configuration(&mut self, sighting: Sighting<MutatingWebhookConfiguration>) {
        let Err(Failure { problem, is_new }) = self.configuration.saw(sighting) else { return };
        self.metrics.watch_failed(CONFIGURATION);
        if is_new {
            let configuration = &self.settings.configuration;
            warn!(
                configuration,
                problem, "a watch failed; no authority is changed until it is known what is published"
            );
        }
    }

    /// Serves what the Secret says, and finds out what is next.
    fn look(&mut self) -> Look {
        if let Seen::NotYet = self.secret.seen {
            self.judge();
            return Look::Wait(LOOK_AGAIN);
        }
        let now = Timestamp::now();
        let kept = Kept::of(self.secret.seen.found());
        match &kept {
            Kept::Absent => {}
            Kept::Unusable(problem) => self.tell_problems(slice::from_ref(problem)),
            Kept::Usable(material) => self.tell_problems(&material.problems),
        }
        let (policy, published) = (&self.settings.policy, self.published());
        if let Some(material) = adopt(now, policy, &kept, &published, &self.holding(now)) {
            self.serve(material.clone());
        }
        let step = plan_rotation(now, &self.settings.policy, &kept, &published, &self.holding(now));
        self.judge();
        match step {
            Step::Wait { until, reason } => {
                if self.held.is_none() && !std::mem::replace(&mut self.is_waiting, true) {
                    warn!(
                        secret = %self.settings.secret, %until,
                        "nothing is served yet: the Secret holds no certificate, and caBundle names authorities that another \
                         replica may hold; then a new one is made"
                    );
                } else {
                    debug!(%until, ?reason, "waiting");
                }
                if self.held.is_none() {
                    self.say_why_nothing_is_served();
                }
                let left = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
                Look::Wait(jitter(left.min(LOOK_AGAIN)))
            }
            Step::Publish(_) if matches!(&published, Published::Found(bundle) if bundle.is_empty()) => {
                Look::Act(Urgency::Urgent)
            }
            Step::Publish(_) | Step::Keep(_) => Look::Act(Urgency::Usual),
        }
    }

    fn holding(&self, now: Timestamp) -> Held<'_> {
        held(self.held.as_deref(), self.since, now)
    }

    fn published(&self) -> Published {
        match (&self.configuration.seen, &self.configuration.failure) {
            (Seen::NotYet, _) | (_, Some(_)) => Published::Unknown,
            (seen, None) => published(seen.found()),
        }
    }

    fn tell_problems(&mut self, problems: &[String]) {
        for problem in problems.iter().filter(|problem| !self.problems.contains(problem)) {
            warn!(secret = %self.settings.secret, problem, "something in the Secret cannot be used");
        }
        self.problems = problems.to_vec();
    }

    /// Nothing is kept, and the others are given time to write back what API servers may trust.
    fn say_why_nothing_is_served(&self) {
        let problem = self.secret.failure.as_ref().or(self.configuration.failure.as_ref());
        self.served.is_missing_because(problem.cloned().unwrap_or_else(|| {
            format!("{} holds none, and another replica may hold what is trusted", self.settings.secret)
        }));
    }

    /// Serves the certificate of the material, if it has one.
    fn serve(&mut self, material: Material) {
        let Some(leaf) = &material.leaf else { return };
        let is_served = self.held.as_ref().is_some_and(|held| held.leaf.as_ref() == Some(leaf));
        if !is_served {
            match CertificatePair::from_pem(leaf.certificate.pem().as_bytes(), leaf.key.pem().as_bytes()) {
                Ok(pair) => {
                    let (authority, expires) = (&material.current.certificate, leaf.certificate.not_after());
                    info!(?authority, %expires, "serving the certificate of {}", self.settings.secret);
                    if self.held.is_some() {
                        self.metrics.certificate_reload(ReloadOutcome::Replaced);
                    }
                    self.served.replace(pair);
                }
                Err(problem) => {
                    warn!(secret = %self.settings.secret, %problem, "the certificate cannot be served; the last one stays in force");
                    self.metrics.certificate_reload(ReloadOutcome::Failed);
                    return;
                }
            }
        }
        self.metrics.certificates.ca_expiry.set(material.current.certificate.not_after().as_second());
        if self.held.as_deref() != Some(&material) {
            self.held = Some(Arc::new(material));
        }
    }

    /// Takes in what came of an act.
    fn take(&mut self, done: Result<Done, JoinError>) -> Result<(), NothingInstalled> {
        let done = done.unwrap_or_else(|panic| Done::failed(format!("a bug: {panic}")));
        if let Some(configuration) = done.configuration {
            self.configuration.was_read(configuration);
        }
        if let Some(secret) = done.secret {
            self.secret.was_read(secret);
        }
        match done.outcome {
            Outcome::Nothing => self.pace.acted(),
            Outcome::Kept(change) => {
                info!(secret = %self.settings.secret, "certificates: {change}");
                self.metrics.certificates.rotated(act::word(Some(change)));
                self.pace.acted();
            }
            Outcome::Published => {
                info!(configuration = self.settings.configuration, "certificates: publish the authorities");
                self.metrics.certificates.rotated(act::word(None));
                self.pace.acted();
            }
            Outcome::Conflict => {
                debug!("another replica was faster");
                self.pace.conflicted();
            }
            Outcome::NothingInstalled(reason) if self.held.is_none() => return Err(NothingInstalled(reason)),
            Outcome::Failed(problem) | Outcome::NothingInstalled(problem) => {
                warn!(problem, "a step of the certificates failed; it is tried again");
                self.metrics.certificates.failures.inc();
                self.served.is_missing_because(problem);
                self.pace.failed();
            }
        }
        Ok(())
    }
}

/// The Secret's own would show keys.
impl fmt::Debug for SelfManaged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SelfManaged").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What a look at the objects came to.
enum Look {
    /// There is something to do.
    Act(Urgency),
    /// There is not, for as long.
    Wait(Duration),
}

/// Why there is no installation to keep certificates for.
struct NothingInstalled(String);

/// What the configuration publishes for our entry.
fn published(configuration: Option<&MutatingWebhookConfiguration>) -> Published {
    configuration
        .and_then(entry)
        .map_or(Published::Absent, |entry| Published::of(ca_bundle(&entry.client_config)))
}

fn held(material: Option<&Material>, since: Option<Timestamp>, now: Timestamp) -> Held<'_> {
    material.map_or_else(|| Held::Nothing { since: since.unwrap_or(now) }, Held::Material)
}
