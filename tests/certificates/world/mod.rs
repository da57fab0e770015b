//! A simulated cluster: replicas that hear of everything late and crash between any two steps, API servers that
//! remember an old caBundle, and one clock that a test moves by events.

mod interference;
mod memory;
mod process;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use spark_swap::cluster::certificates::{Bundle, Change, Kept, Material, Published, RotationPolicy};

use crate::fixtures::{days, minutes, start};
use crate::random::Random;
use crate::verifier::Verifier;

/// How much later than the slowest watch something is noticed at most.
pub(crate) const SLOWEST_WATCH: Duration = Duration::from_secs(20);
/// How far the clocks of two replicas are apart at most, unless one jumps.
const CLOCKS_APART: Duration = Duration::from_mins(2);

pub(crate) struct World {
    pub now: Timestamp,
    pub random: Random,
    pub policy: RotationPolicy,
    pub replicas: Vec<Replica>,
    pub counted: Counted,
    /// Calls are watched; off while something happens that nobody could survive.
    pub is_strict: bool,
    /// How late an API server may hear of a new caBundle.
    pub slowest_api_server: Duration,
    api_servers: Vec<usize>,
    /// Every version of the Secret, and which is the latest.
    secret: Value,
    secrets: Vec<Rc<Kept>>,
    /// Every version of the webhook entry.
    entries: Vec<Entry>,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    order: u64,
    verifier: Verifier,
    /// What happened, for whoever reads of a failure.
    story: Vec<String>,
}

/// What happened how often.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub changes: BTreeMap<&'static str, usize>,
    pub publications: usize,
    /// Writes of the webhook entry by others.
    pub interferences: usize,
    pub conflicts: usize,
    pub crashes: usize,
}

/// A version of the webhook entry.
struct Entry {
    published: Published,
    /// Somebody else wrote it, and nothing that we do could prevent that calls fail.
    is_fatal: bool,
}

#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is true or false on its own")]
pub(crate) struct Replica {
    pub is_up: bool,
    /// It does not reach the API server.
    pub is_cut_off: bool,
    /// What its clock is ahead.
    pub ahead: SignedDuration,
    pub policy: Option<RotationPolicy>,
    /// Counts starts: what an earlier process planned does not happen any more.
    process: u64,
    is_busy: bool,
    /// The alarm that counts; earlier ones were set for what is past.
    alarm: u64,
    since: Option<Timestamp>,
    secret: Option<usize>,
    entry: Option<usize>,
    pub held: Option<Material>,
    /// It was ready once: it is called.
    pub is_ready: bool,
}

#[derive(Clone, Debug)]
enum Event {
    SecretSeen { replica: usize, version: usize },
    EntrySeen { replica: usize, version: usize },
    ApiServerHears { server: usize, version: usize },
    Wake { replica: usize, process: u64, alarm: u64 },
    Reconnect { replica: usize },
    EntryReturns,
    ReadEntry { replica: usize, process: u64 },
    ReadSecret { replica: usize, process: u64, entry: usize },
    Write { replica: usize, process: u64, write: Write },
    Start { replica: usize },
}

#[derive(Clone, Debug)]
enum Write {
    Secret { version: usize, change: Change, material: Box<Material> },
    Entry { version: usize, bundle: Bundle },
}

impl World {
    pub(crate) fn new(seed: u64, policy: RotationPolicy, replicas: usize, api_servers: usize) -> Self {
        let mut world = Self {
            now: start(),
            random: Random::new(seed),
            replicas: (0..replicas).map(|_| Replica::default()).collect(),
            counted: Counted::default(),
            is_strict: true,
            // Just under what the policy waits for, as far as clocks agree.
            slowest_api_server: policy.ca_propagation.saturating_sub(CLOCKS_APART + Duration::from_secs(1)),
            policy,
            api_servers: vec![0; api_servers],
            secret: json!({"metadata": {"annotations": {}}}),
            secrets: vec![Rc::new(Kept::Absent)],
            entries: vec![Entry { published: Published::of(None), is_fatal: false }],
            agenda: BTreeMap::new(),
            order: 0,
            verifier: Verifier::default(),
            story: Vec::new(),
        };
        for replica in 0..replicas {
            let apart = world.random.up_to(CLOCKS_APART).as_secs().cast_signed();
            world.replicas[replica].ahead = SignedDuration::from_secs(apart - 60);
            world.after(Duration::ZERO, minutes(5), Event::Start { replica });
        }
        world
    }

    /// Lets time pass.
    pub(crate) fn run_until(&mut self, end: Timestamp) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((time, _), event) = entry.remove_entry();
            self.now = time;
            self.check();
            self.happens(event);
            self.check();
        }
        self.now = end;
        self.check();
    }

    /// Lets time pass until nobody writes anything for a while.
    pub(crate) fn settle(&mut self) {
        let mut writes = (0, 0);
        while writes != (self.secrets.len(), self.entries.len()) {
            writes = (self.secrets.len(), self.entries.len());
            self.run_until(self.now + days(1));
        }
    }

    pub(crate) fn material(&self) -> Option<&Material> {
        match self.kept() {
            Kept::Usable(material) => Some(material),
            _ => None,
        }
    }

    pub(crate) fn published(&self) -> &Published {
        &self.entries.last().unwrap().published
    }

    /// This replica serves and knows what the Secret holds.
    pub(crate) fn is_up_to_date(&self, replica: usize) -> bool {
        let Replica { is_up, held, entry, .. } = &self.replicas[replica];
        *is_up
            && self.reaches(replica)
            && entry.is_some()
            && self.material().is_some()
            && held.as_ref() == self.material()
    }

    /// The bundle is what it should be.
    pub(crate) fn is_published(&self) -> bool {
        let ours = self.material().map(Material::bundle);
        matches!((self.published(), ours), (Published::Found(found), Some(ours)) if found.trusts_the_same_as(&ours))
    }

    /// Every replica serves the same and every API server trusts exactly that.
    pub(crate) fn assert_converged(&self) {
        let material = self.material().expect("a Secret");
        for (number, replica) in self.replicas.iter().enumerate() {
            assert!(replica.is_up && replica.is_ready, "replica {number} is not ready");
            let held = replica.held.as_ref().unwrap();
            assert_eq!(held.leaf, material.leaf, "replica {number} serves something else");
        }
        for (number, version) in self.api_servers.iter().enumerate() {
            let Published::Found(bundle) = &self.entries[*version].published else { panic!("no entry") };
            assert!(bundle.trusts_the_same_as(&material.bundle()), "API server {number} trusts {bundle:?}");
        }
    }

    /// Whoever calls now is answered with a certificate that it trusts, and nothing is served out of its time.
    fn check(&mut self) {
        let Self { now, replicas, api_servers, entries, verifier, is_strict, story, .. } = self;
        if !*is_strict {
            return;
        }
        for (number, replica) in replicas.iter().enumerate().filter(|(_, replica)| replica.is_ready) {
            let leaf = &replica.held.as_ref().unwrap().leaf.as_ref().unwrap().certificate;
            assert!(leaf.is_valid_at(*now), "{now}: replica {number} serves {leaf:?}");
            for (server, version) in api_servers.iter().enumerate() {
                let Entry { published: Published::Found(bundle), is_fatal: false } = &entries[*version]
                else {
                    continue;
                };
                if bundle.is_empty() {
                    continue;
                }
                assert!(
                    verifier.accepts(leaf, *version, bundle, *now),
                    "{now}: API server {server} trusts {bundle:?}, replica {number} serves {leaf:?}, after\n{}",
                    story.iter().rev().take(15).rev().cloned().collect::<Vec<_>>().join("\n"),
                );
            }
        }
    }

    fn list(&mut self, replica: usize) {
        let (secret, entry) = (self.secrets.len() - 1, self.entries.len() - 1);
        self.after(Duration::ZERO, SLOWEST_WATCH, Event::SecretSeen { replica, version: secret });
        self.after(Duration::ZERO, SLOWEST_WATCH, Event::EntrySeen { replica, version: entry });
    }

    fn secret_changed(&mut self) {
        let secret: Secret = serde_json::from_value(self.secret.clone()).unwrap();
        self.secrets.push(Rc::new(Kept::of(Some(&secret))));
        let version = self.secrets.len() - 1;
        for replica in 0..self.replicas.len() {
            self.after(Duration::ZERO, SLOWEST_WATCH, Event::SecretSeen { replica, version });
        }
    }

    fn put_entry(&mut self, published: Published, is_fatal: bool) {
        self.tell(&format!("caBundle (fatal: {is_fatal}): {published:?}"));
        self.entries.push(Entry { published, is_fatal });
        let version = self.entries.len() - 1;
        for replica in 0..self.replicas.len() {
            self.after(Duration::ZERO, SLOWEST_WATCH, Event::EntrySeen { replica, version });
        }
        let slowest = self.slowest_api_server;
        for server in 0..self.api_servers.len() {
            let shortest = if self.random.below(3) == 0 { slowest } else { Duration::ZERO };
            self.after(shortest, slowest, Event::ApiServerHears { server, version });
        }
    }

    fn soon(&mut self, event: Event) {
        self.after(Duration::ZERO, Duration::from_secs(3), event);
    }

    fn after(&mut self, least: Duration, most: Duration, event: Event) {
        let delay = least + self.random.up_to(most.saturating_sub(least));
        self.order += 1;
        self.agenda.insert((self.now + delay, self.order), event);
    }

    fn kept(&self) -> &Kept {
        self.secrets.last().unwrap()
    }

    fn tell(&mut self, what: &str) {
        self.story.push(format!("{} {what}", self.now));
    }

    fn clock(&self, replica: usize) -> Timestamp {
        self.now + self.replicas[replica].ahead
    }

    fn reaches(&self, replica: usize) -> bool {
        let Replica { is_up, is_cut_off, .. } = self.replicas[replica];
        is_up && !is_cut_off
    }

    fn is_process(&self, replica: usize, process: u64) -> bool {
        let state = &self.replicas[replica];
        state.is_up && state.process == process
    }
}
