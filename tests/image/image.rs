//! The image as `image/build` writes it, unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::{output_of, skipped};

/// What `image/build-binary` exits with where the machine lacks what a static binary takes.
const TOOLS_MISSING: i32 = 3;

/// An unpacked image.
pub(crate) struct Image {
    /// The tar.
    pub(crate) archive: PathBuf,
    /// Where its only layer is unpacked.
    pub(crate) root: PathBuf,
    /// Mode, owner and name of everything in it.
    pub(crate) files: Vec<String>,
    /// The image's configuration.
    pub(crate) config: Value,
}

impl Image {
    /// The image, built once; none where the machine cannot, which is said aloud.
    pub(crate) fn get() -> Option<&'static Self> {
        static IMAGE: OnceLock<Option<Image>> = OnceLock::new();
        IMAGE.get_or_init(|| archive().map(Self::unpack)).as_ref()
    }

    fn unpack(archive: PathBuf) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image");
        drop(fs::remove_dir_all(&directory));
        let (blobs, root) = (directory.join("blobs"), directory.join("root"));
        fs::create_dir_all(&blobs).unwrap();
        fs::create_dir_all(&root).unwrap();
        output_of(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&blobs));

        let manifest = json(&blobs.join("manifest.json"));
        let [image] = manifest.as_array().unwrap().as_slice() else { panic!("{manifest}") };
        let [layer] = image["Layers"].as_array().unwrap().as_slice() else { panic!("{image}") };
        let layer = blobs.join(layer.as_str().unwrap());
        output_of(Command::new("tar").arg("-xzf").arg(&layer).arg("-C").arg(&root));
        let listed = output_of(Command::new("tar").arg("-tvzf").arg(&layer).arg("--numeric-owner"));
        Self {
            config: json(&blobs.join(image["Config"].as_str().unwrap())),
            files: listed.lines().map(mode_owner_and_name).collect(),
            archive,
            root,
        }
    }

    /// A second tar of the same binary.
    pub(crate) fn build_again(&self) -> PathBuf {
        let again = self.root.with_file_name("again.tar");
        let label = |name: &str| {
            let label = &self.config["config"]["Labels"][format!("org.opencontainers.image.{name}")];
            label.as_str().unwrap_or_default()
        };
        let go = output_of(&mut Command::new(repository().join("tests/cluster/find-go")));
        let mut archive = Command::new(go.trim());
        archive.current_dir(repository().join("image/archive")).env("CGO_ENABLED", "0");
        archive.args(["run", ".", "-version", label("version"), "-revision", label("revision")]);
        archive.arg("-tag").arg(format!("spark-swap:{}", label("version")));
        archive.arg("-binary").arg(self.root.join("spark-swap")).arg("-output").arg(&again);
        output_of(&mut archive);
        again
    }
}

/// The tar to test.
fn archive() -> Option<PathBuf> {
    if let Some(archive) = std::env::var_os("SPARK_SWAP_IMAGE") {
        return Some(archive.into());
    }
    let mut build = Command::new(repository().join("image/build"));
    let output = build.arg("fast").stderr(Stdio::inherit()).output().unwrap();
    if output.status.code() == Some(TOOLS_MISSING) {
        skipped("see above for what to install");
        return None;
    }
    assert!(output.status.success(), "image/build failed, see above");
    String::from_utf8(output.stdout).unwrap().lines().last().map(PathBuf::from)
}

/// Of a line as tar lists it: mode, owner, size, date, time and name.
fn mode_owner_and_name(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    [words[0], words[1], words.last().unwrap()].join(" ")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
