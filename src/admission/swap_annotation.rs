//! The annotations by which the explicit backends learn how much swap a container gets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sizing::class::Backend;

use super::pod::Pod;

/// What the cgroup file is called in both backends' notation.
const SWAP_MAX: &str = "memory.swap.max";

/// The annotations that give a container this much swap, bytes; none for the kubelet, which computes it.
pub fn write(backend: Backend, container: &str, swap: u64) -> Vec<(String, String)> {
    let value = match backend {
        Backend::Kubelet => return Vec::new(),
        // CRI-O decodes whatever happens to be valid base64, so it must always be base64.
        Backend::CrioAnnotation => format!("{SWAP_MAX}={}", STANDARD.encode(swap.to_string())),
        Backend::NriMemoryQos => swap.to_string(),
    };
    keys(backend, container).into_iter().map(|key| (key, value.clone())).collect()
}

/// The swap in bytes that a pod's annotations give a container; `None` where they say nothing that [`write`] writes.
pub fn read(backend: Backend, pod: &Pod<'_>, container: &str) -> Option<u64> {
    let value = keys(backend, container).iter().find_map(|key| pod.annotation(key))?;
    match backend {
        Backend::Kubelet => None,
        Backend::CrioAnnotation => {
            let encoded = value.strip_prefix(SWAP_MAX)?.strip_prefix('=')?;
            String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?.parse().ok()
        }
        Backend::NriMemoryQos => value.parse().ok(),
    }
}

/// The keys of these annotations for a container.
pub fn keys(backend: Backend, container: &str) -> Vec<String> {
    match backend {
        Backend::Kubelet => Vec::new(),
        Backend::CrioAnnotation => {
            let current = format!("unified-cgroup.crio.io/{container}");
            // CRI-O before 1.35 knows only this key; as it has no prefix it is limited to 63 characters.
            let legacy = format!("io.kubernetes.cri-o.UnifiedCgroup.{container}");
            let fits = legacy.len() <= 63;
            std::iter::once(current).chain(fits.then_some(legacy)).collect()
        }
        Backend::NriMemoryQos => vec![format!("{SWAP_MAX}.memory-qos.nri.io/{container}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for backend in Backend::ALL {
            let annotations: serde_json::Map<_, _> = write(*backend, "spark", 1 << 30)
                .into_iter()
                .map(|(key, value)| (key, value.into()))
                .collect();
            let json = serde_json::json!({"metadata": {"annotations": annotations}}).to_string();
            let pod: Pod<'_> = serde_json::from_str(&json).unwrap();
            assert_eq!(read(*backend, &pod, "spark"), backend.is_explicit().then_some(1 << 30), "{backend}");
            assert_eq!(read(*backend, &pod, "other"), None, "{backend}");
        }
    }
}
