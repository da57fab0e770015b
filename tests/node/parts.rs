//! What every node needs before it boots: the parts of `setup`, and the webhook's image.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::boot::repository;

/// What nodes boot from.
pub(crate) struct Parts {
    /// None: no node has the webhook.
    webhook: Option<Webhook>,
    /// Tells apart what runs inside: scripts, jobs, classes and the webhook.
    pub(crate) made_of: String,
}

struct Webhook {
    image: OsString,
    /// What the image was made of.
    binary: OsString,
}

impl Parts {
    /// Makes what is missing, so that no node is disturbed by that. `profile`: the one of Cargo that the webhook is built
    /// with; none: no node has it. `NODE_IMAGE` and `NODE_BINARY` name one that is there.
    ///
    /// # Errors
    /// It could not be made; why is on standard error.
    pub(crate) fn make(profile: Option<&str>) -> anyhow::Result<Self> {
        last_line("tests/node/setup", &[])?;
        last_line("tests/cluster/build-controlplane", &[])?;
        last_line("tests/cluster/build-go", &["nri-plugin"])?;
        let webhook = |profile: &str| {
            if let (Some(image), Some(binary)) =
                (std::env::var_os("NODE_IMAGE"), std::env::var_os("NODE_BINARY"))
            {
                return Ok(Webhook { image, binary });
            }
            let [image, binary] =
                ["image/build", "image/build-binary"].map(|script| last_line(script, &[profile]));
            anyhow::Ok(Webhook { image: image?, binary: binary? })
        };
        let webhook = profile.map(webhook).transpose()?;
        let made_of = digest(webhook.as_ref().map(|webhook| Path::new(&webhook.binary)))?;
        Ok(Self { webhook, made_of })
    }

    /// What `tests/node/boot` is told of them.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &OsString)> {
        self.webhook
            .iter()
            .flat_map(|Webhook { image, binary }| [("NODE_IMAGE", image), ("NODE_BINARY", binary)])
    }
}

/// Of the files that a node's work depends on. It says whether they are the same, not more.
fn digest(binary: Option<&Path>) -> anyhow::Result<String> {
    let mut files = vec![repository("tests/node/boot")];
    for dir in ["guest", "job", "matrix", "classes"] {
        files.extend(glob::glob(&repository(&format!("tests/node/{dir}/*")).to_string_lossy())?.flatten());
    }
    files.extend(binary.map(Path::to_path_buf));
    let mut hasher = DefaultHasher::new();
    for file in files.iter().filter(|file| file.is_file()) {
        hasher.write(&fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// The last line that a script of this repository prints, which is the path of what it made.
fn last_line(script: &str, arguments: &[&str]) -> anyhow::Result<OsString> {
    let output = Command::new(repository(script))
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {script}"))?;
    ensure!(
        output.status.success(),
        "{script} failed ({}): what it says above has to be mended first",
        output.status
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let path = said.lines().last().with_context(|| format!("{script} printed no path"))?;
    Ok(PathBuf::from(path).into_os_string())
}
