//! Events of the API server (`events.k8s.io/v1`), made from notes. Names are the same on every replica and for ever, so
//! that of several writers the first one wins and the others are told that it is there already.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::admission::event_note::EventNote;

/// Who tells.
const CONTROLLER: &str = "spark-swap.io/webhook";
/// Names are at most this long.
const LONGEST_NAME: usize = 253;
/// The name of an instance is at most this long.
const LONGEST_INSTANCE: usize = 128;

/// Writes Events in the name of one replica.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    instance: String,
}

/// What became of an Event that could be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is new.
    Created,
    /// Another replica was first, or this one before it was started again.
    AlreadyThere,
}

impl Recorder {
    /// `instance` is the name of this replica's pod or machine.
    pub fn new(client: Client, instance: &str) -> Self {
        Self { client, instance: instance.to_owned() }
    }

    /// Writes the Event of a note.
    ///
    /// # Errors
    /// Whatever the API server says but that it is there already.
    pub async fn record(&self, note: &EventNote) -> Result<Recorded, kube::Error> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &note.namespace);
        let event = event(note, &self.instance, Timestamp::now());
        match events.create(&PostParams::default(), &event).await {
            Ok(_) => Ok(Recorded::Created),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Recorded::AlreadyThere),
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recorder").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// The Event of a note. There is no related object: the executor's pod does not exist yet.
pub fn event(note: &EventNote, instance: &str, now: Timestamp) -> Event {
    let owner = &note.owner;
    Event {
        metadata: ObjectMeta {
            name: Some(name(&owner.name, note.key)),
            namespace: Some(note.namespace.clone()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(cut(instance, LONGEST_INSTANCE).to_owned()),
        action: Some(note.action.to_owned()),
        reason: Some(note.reason.as_str().to_owned()),
        type_: Some(note.event_type.as_str().to_owned()),
        note: Some(note.text.clone()),
        regarding: Some(ObjectReference {
            api_version: Some(owner.api_version.clone()),
            kind: Some(owner.kind.clone()),
            name: Some(owner.name.clone()),
            namespace: Some(note.namespace.clone()),
            uid: Some(owner.uid.clone()),
            ..ObjectReference::default()
        }),
        ..Event::default()
    }
}

/// `<owner>.<16 hexadecimal digits>`; a long owner's name is cut, and never ends in what a name's part may not end in.
fn name(owner: &str, key: u64) -> String {
    let key = format!(".{key:016x}");
    let owner = cut(owner, LONGEST_NAME.saturating_sub(key.len()));
    format!("{}{key}", owner.trim_end_matches(['.', '-']))
}

fn cut(text: &str, length: usize) -> &str {
    text.get(..text.floor_char_boundary(length)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admission::event_note::{EventType, Owner};
    use crate::admission::reason::Reason;

    fn note() -> EventNote {
        EventNote {
            key: 0xeb65,
            namespace: "etl".to_owned(),
            owner: Owner {
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                name: "driver".to_owned(),
                uid: "uid-1".to_owned(),
            },
            reason: Reason::Planned,
            event_type: EventType::Normal,
            action: "Plan",
            text: "Executors are sized.".to_owned(),
        }
    }

    #[test]
    fn an_event_has_what_the_api_server_asks_for() {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(
            serde_json::to_value(event(&note(), "spark-swap-0", now)).unwrap(),
            json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event",
                "metadata": {"name": "driver.000000000000eb65", "namespace": "etl"},
                "eventTime": "2026-01-02T03:04:05.000000Z",
                "reportingController": "spark-swap.io/webhook", "reportingInstance": "spark-swap-0",
                "action": "Plan", "reason": "Planned", "type": "Normal", "note": "Executors are sized.",
                "regarding": {"apiVersion": "v1", "kind": "Pod", "name": "driver", "namespace": "etl", "uid": "uid-1"},
            })
        );
    }

    #[test]
    fn a_long_name_stays_a_name() {
        let long = format!("{}-{}", "a".repeat(235), "b".repeat(17));
        let name = name(&long, 1);
        assert_eq!(name, format!("{}.0000000000000001", "a".repeat(235)));
        assert_eq!(super::name("driver", u64::MAX).len(), 6 + 17);
    }
}
