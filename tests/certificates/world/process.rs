//! What a replica does: it looks at what it watched, reads afresh, and writes only if nothing changed since.

use std::rc::Rc;
use std::time::Duration;

use spark_swap::cluster::certificates::{Change, Held, Published, Step, adopt, carry_out, plan_rotation};

use super::{Event, Replica, World, Write};
use crate::fixtures::{days, minutes};

impl World {
    /// One event.
    pub(super) fn happens(&mut self, event: Event) {
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
