//! A simulated cluster: replicas that hear of everything late and crash between any two steps, API servers that
//! remember an old caBundle, and one clock that a test moves by events.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use spark_swap::cluster::certificates::{
    Bundle, Change, Held, Kept, Material, Published, RotationPolicy, Step, adopt, carry_out, plan_rotation,
};

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

    // What an admin, GitOps and fate do.

    /// Somebody else writes the caBundle.
    pub(crate) fn overwrite_bundle(&mut self, published: Published) {
        let is_fatal = self.is_fatal(&published);
        self.counted.interferences += 1;
        self.put_entry(published, is_fatal);
    }

    /// With this bundle calls fail, whatever we do: now, or because a promotion cannot be stopped any more.
    fn is_fatal(&mut self, published: &Published) -> bool {
        let Published::Found(bundle) = published else { return true };
        let version = self.entries.len();
        let served = self.replicas.iter().filter_map(|replica| replica.held.as_ref()).chain(self.material());
        let leaves: Vec<_> = served.filter_map(|material| material.leaf.clone()).collect();
        let now = self.now;
        let mut leaves = leaves.iter().map(|leaf| &leaf.certificate);
        let is_trusted = leaves.all(|leaf| self.verifier.accepts(leaf, version, bundle, now));
        let confirmed = self.material().and_then(|material| material.next.as_ref()?.confirmed);
        let is_imminent = confirmed.is_some_and(|confirmed| {
            confirmed + self.policy.ca_propagation < self.now + CLOCKS_APART + SLOWEST_WATCH
        });
        !is_trusted || is_imminent
    }

    /// A GitOps tool that owns the caBundle takes over what we ask for.
    pub(crate) fn synchronise_bundle(&mut self, bundle: Bundle) {
        self.put_entry(Published::Found(bundle), false);
    }

    /// A bundle of the past.
    pub(crate) fn old_bundle(&mut self) -> Published {
        let version = self.random.below(self.entries.len());
        self.entries[version].published.clone()
    }

    /// Somebody patches the Secret.
    pub(crate) fn patch_secret(&mut self, patch: &Value) {
        self.tell(&format!("Secret: {}", patch["data"].as_object().map_or(0, |data| data.len())));
        json_patch::merge(&mut self.secret, patch);
        self.secret_changed();
    }

    /// Somebody deletes the Secret.
    pub(crate) fn delete_secret(&mut self) {
        self.tell("the Secret is deleted");
        self.secret = json!({"metadata": {"annotations": {}}});
        self.secret_changed();
    }

    pub(crate) fn crash(&mut self, replica: usize, downtime: Duration) {
        if self.replicas[replica].is_up {
            self.counted.crashes += 1;
            self.tell(&format!("replica {replica} crashes"));
            let Replica { is_cut_off, ahead, process, .. } = self.replicas[replica];
            let process = process + 1;
            self.replicas[replica] = Replica { is_cut_off, ahead, process, ..Replica::default() };
            self.after(downtime, downtime, Event::Start { replica });
        }
    }

    pub(crate) fn cut_off(&mut self, replica: usize, lasting: Duration) {
        self.tell(&format!("replica {replica} is cut off"));
        self.replicas[replica].is_cut_off = true;
        self.replicas[replica].entry = None;
        self.after(lasting, lasting, Event::Reconnect { replica });
    }

    /// Somebody deletes the webhook configuration and makes it again.
    pub(crate) fn delete_entry(&mut self, absence: Duration) {
        self.counted.interferences += 1;
        self.put_entry(Published::Absent, true);
        self.after(absence, absence, Event::EntryReturns);
    }

    // What is true.

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

    /// One event.
    fn happens(&mut self, event: Event) {
        match event {
            Event::Start { replica } => {
                self.replicas[replica].is_up = true;
                self.replicas[replica].policy = Some(self.policy.clone());
                self.list(replica);
            }
            Event::SecretSeen { replica, version } => {
                if self.reaches(replica) {
                    let now = self.clock(replica);
                    let replica_state = &mut self.replicas[replica];
                    replica_state.secret = replica_state.secret.max(Some(version));
                    replica_state.since.get_or_insert(now);
                    self.look(replica);
                }
            }
            Event::EntrySeen { replica, version } => {
                if self.reaches(replica) {
                    self.replicas[replica].entry = self.replicas[replica].entry.max(Some(version));
                    self.look(replica);
                }
            }
            Event::ApiServerHears { server, version } => {
                self.api_servers[server] = self.api_servers[server].max(version);
            }
            Event::Reconnect { replica } => {
                self.replicas[replica].is_cut_off = false;
                self.list(replica);
            }
            Event::EntryReturns => self.put_entry(Published::of(None), true),
            Event::Wake { replica, process, alarm } => {
                if self.is_process(replica, process) && self.replicas[replica].alarm == alarm {
                    self.look(replica);
                }
            }
            Event::ReadEntry { replica, process } => {
                if self.goes_on(replica, process) {
                    let entry = self.entries.len() - 1;
                    self.soon(Event::ReadSecret { replica, process, entry });
                }
            }
            Event::ReadSecret { replica, process, entry } => {
                if self.goes_on(replica, process) {
                    self.decide(replica, process, entry);
                }
            }
            Event::Write { replica, process, write } => {
                if self.goes_on(replica, process) {
                    self.replicas[replica].is_busy = false;
                    self.write(replica, write);
                }
            }
        }
    }

    /// Adopts and plans from what was watched.
    fn look(&mut self, replica: usize) {
        let now = self.clock(replica);
        let Replica {
            is_up: true,
            is_busy: false,
            process,
            secret: Some(secret),
            entry,
            policy: Some(policy),
            ..
        } = &self.replicas[replica]
        else {
            return;
        };
        let (process, policy) = (*process, policy.clone());
        let kept = Rc::clone(&self.secrets[*secret]);
        let published = entry.map_or(Published::Unknown, |version| self.entries[version].published.clone());
        let adopted = adopt(now, &policy, &kept, &published, &self.replicas[replica].held()).cloned();
        if let Some(material) = adopted {
            self.replicas[replica].held = Some(material);
        }
        if let (Some(held), Published::Found(bundle)) = (&self.replicas[replica].held, &published)
            && bundle.contains(&held.current.certificate)
            && held.serving(now).is_some()
        {
            self.replicas[replica].is_ready = true;
        }
        match plan_rotation(now, &policy, &kept, &published, &self.replicas[replica].held()) {
            Step::Wait { until, .. } => {
                let longest = self.random.up_to(days(4));
                let wait =
                    Duration::try_from(until.duration_since(now)).expect("a time to come").min(longest);
                self.wake(replica, wait, wait + Duration::from_secs(1));
            }
            Step::Publish(_) | Step::Keep(_) => {
                if self.reaches(replica) {
                    self.replicas[replica].is_busy = true;
                    self.soon(Event::ReadEntry { replica, process });
                }
            }
        }
    }

    /// Plans from what was read afresh.
    fn decide(&mut self, replica: usize, process: u64, entry: usize) {
        let now = self.clock(replica);
        let version = self.secrets.len() - 1;
        let kept = Rc::clone(&self.secrets[version]);
        let published = self.entries[entry].published.clone();
        let policy = self.replicas[replica].policy.clone().unwrap();
        let held = self.replicas[replica].held();
        let write = match plan_rotation(now, &policy, &kept, &published, &held) {
            Step::Wait { .. } => {
                self.give_up(replica);
                return;
            }
            Step::Publish(bundle) => Write::Entry { version: entry, bundle },
            Step::Keep(change) => {
                let material = Box::new(carry_out(change, now, &policy, &kept, &held).unwrap());
                Write::Secret { version, change, material }
            }
        };
        self.soon(Event::Write { replica, process, write });
    }

    fn write(&mut self, replica: usize, write: Write) {
        match write {
            Write::Secret { version, .. } if version + 1 != self.secrets.len() => self.conflict(replica),
            Write::Entry { version, .. } if version + 1 != self.entries.len() => self.conflict(replica),
            Write::Secret { version, change, material } => {
                self.tell(&format!("replica {replica}: {change}"));
                *self.counted.changes.entry(name(change)).or_default() += 1;
                self.patch_secret(&material.merge_patch(&version.to_string()));
                let read = self.material().unwrap();
                assert_eq!((read.data(), read.annotations()), (material.data(), material.annotations()));
                self.replicas[replica].secret = Some(self.secrets.len() - 1);
            }
            Write::Entry { bundle, .. } => {
                self.counted.publications += 1;
                self.put_entry(Published::Found(bundle), false);
            }
        }
        if !self.crashes_now(replica) {
            self.look(replica);
        }
    }

    fn conflict(&mut self, replica: usize) {
        self.counted.conflicts += 1;
        self.give_up(replica);
    }

    fn give_up(&mut self, replica: usize) {
        self.replicas[replica].is_busy = false;
        self.wake(replica, Duration::from_secs(10), minutes(1));
    }

    fn wake(&mut self, replica: usize, least: Duration, most: Duration) {
        self.replicas[replica].alarm += 1;
        let Replica { process, alarm, .. } = self.replicas[replica];
        self.after(least, most, Event::Wake { replica, process, alarm });
    }

    /// The process lives, reaches the API server and does not crash right now.
    fn goes_on(&mut self, replica: usize, process: u64) -> bool {
        if !self.is_process(replica, process) || self.crashes_now(replica) {
            return false;
        }
        if !self.reaches(replica) {
            self.give_up(replica);
            return false;
        }
        true
    }

    fn crashes_now(&mut self, replica: usize) -> bool {
        let crashes = self.random.below(30) == 0 && self.may_crash(replica);
        if crashes {
            let downtime = self.random.up_to(minutes(10));
            self.crash(replica, downtime);
        }
        crashes
    }

    /// Somebody has to remember what was lost.
    pub(crate) fn may_crash(&self, replica: usize) -> bool {
        let is_lost = self.material().is_none_or(|material| !self.is_trusted(material));
        let others = self.replicas.iter().enumerate().filter(|(other, _)| *other != replica);
        let mut remembering = others.filter(|(other, state)| state.is_ready && self.reaches(*other));
        !is_lost || remembering.next().is_some()
    }

    fn is_trusted(&self, material: &Material) -> bool {
        matches!(self.published(), Published::Found(bundle) if bundle.contains(&material.current.certificate))
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

impl Replica {
    fn held(&self) -> Held<'_> {
        match (&self.held, self.since) {
            (Some(material), _) => Held::Material(material),
            (None, since) => Held::Nothing { since: since.expect("has had an answer") },
        }
    }
}

fn name(change: Change) -> &'static str {
    match change {
        Change::Create => "Create",
        Change::Restore => "Restore",
        Change::RenewLeaf(_) => "RenewLeaf",
        Change::StageCa(_) => "StageCa",
        Change::Confirm => "Confirm",
        Change::ForgetConfirmation => "ForgetConfirmation",
        Change::PromoteCa => "PromoteCa",
        Change::DropPreviousCa => "DropPreviousCa",
    }
}
