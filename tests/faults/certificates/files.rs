//! Files of somebody's own public-key infrastructure, in a Secret that the kubelet mounts. Its administrator is careful:
//! both authorities are trusted while certificates change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use spark_swap::cluster::certificates::authority::{Authority, Issued, Validity};
use time::OffsetDateTime;

use super::CertificateMode;
use crate::api::Api;
use crate::install::HOST;
use crate::replica::Replica;

pub(super) struct Files {
    dir: PathBuf,
    authority: String,
    issued: Issued,
    rotations: usize,
}

impl Files {
    pub(super) fn new(dir: &Path) -> Self {
        fs::create_dir(dir).unwrap();
        let (authority, issued) = new_certificates();
        Self { dir: dir.to_owned(), authority, issued, rotations: 0 }
    }

    /// Writes the files of a replica as the kubelet does: a new directory, then `..data` leads there.
    fn mount(&self, replica: &str) -> PathBuf {
        let mount = self.dir.join(replica);
        let contents = format!("..{}", self.rotations);
        fs::create_dir_all(mount.join(&contents)).unwrap();
        for (name, pem) in [("tls.crt", &self.issued.certificate_pem), ("tls.key", &self.issued.key_pem)] {
            fs::write(mount.join(&contents).join(name), pem).unwrap();
            if !mount.join(name).is_symlink() {
                symlink(Path::new("..data").join(name), mount.join(name)).unwrap();
            }
        }
        symlink(&contents, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        mount
    }
}

impl CertificateMode for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn installed_ca(&self) -> Option<&str> {
        Some(&self.authority)
    }

    fn flags(&mut self, replica: &str) -> Vec<String> {
        let mount = self.mount(replica);
        [("--tls-cert", "tls.crt"), ("--tls-key", "tls.key")]
            .map(|(flag, name)| format!("{flag}={}", mount.join(name).display()))
            .to_vec()
    }

    fn rotate(&mut self, api: &Api, replicas: &[Replica]) {
        let (authority, issued) = new_certificates();
        api.set_ca_bundle(&format!("{}{authority}", self.authority));
        api.wait_until_webhooks_are_seen();
        self.rotations += 1;
        self.issued = issued;
        // One after the other, for kubelets do not write at the same moment.
        for replica in replicas {
            self.mount(&replica.name);
            replica.wait_until_trusted_by(&authority, api.runtime());
        }
        api.set_ca_bundle(&authority);
        self.authority = authority;
    }

    fn keeps_ca_bundle(&self) -> bool {
        false
    }
}

fn new_certificates() -> (String, Issued) {
    let validity = Validity::days_from(OffsetDateTime::now_utc(), 1);
    let authority = Authority::new(validity).unwrap();
    let issued = authority.issue(&[HOST.to_owned()], validity).unwrap();
    (authority.certificate_pem(), issued)
}
