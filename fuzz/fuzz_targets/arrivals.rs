//! Anything a cluster may answer: watch events and lists of objects, a kubelet's `/configz`, and the selectors of flags.
//! Whatever arrives, nothing panics, and what is understood is understood alike from a list, a watch and a file.
#![no_main]

use kube::core::WatchEvent;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use spark_swap::cli::selector;
use spark_swap::cluster::arrival::Arrival;
use spark_swap::cluster::kubelet_config::KubeletConfig;
use spark_swap::cluster::live_state::{Event, LiveState};
use spark_swap::cluster::objects::{Identity, Kind, Object};
use spark_swap::sizing::state::Settings;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    drop(KubeletConfig::from_configz(text));
    drop(selector::parse(text));
    drop(serde_json::from_str::<WatchEvent<Arrival>>(text));
    let Ok(arrival) = serde_json::from_str::<Arrival>(text) else { return };
    let whole: Value = serde_json::from_str(text).expect("it was JSON");
    let mut live = LiveState::new(Settings::default());
    for kind in Kind::ALL {
        let reduced = Object::read(*kind, &arrival.object());
        if *kind == Kind::Node {
            // Of other kinds an arrival leaves out members that files are told of.
            let from_file = Object::read(*kind, &whole);
            assert!(from_file.is_err() || format!("{reduced:?}") == format!("{from_file:?}"), "{text}");
        }
        let identity = Identity { kind: *kind, namespace: None, name: "fuzz".to_owned() };
        live.take(*kind, Event::ListBegins);
        live.take(*kind, Event::Applied(identity, reduced));
        live.take(*kind, Event::ListEnds);
    }
    drop(live.state());
});
