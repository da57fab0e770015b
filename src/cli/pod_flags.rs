//! The flags that say which executors: pods out of files, or the conf of a spark-submit.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail, ensure};
use clap::Args;

use super::executor_pod::executor_pod;
use super::names;
use super::pod_input::Input;
use super::spark_conf::SparkConf;
use crate::cluster::state_files::MAX_FILE_BYTES;

/// The flags of commands that are about executors.
#[derive(Args, Debug)]
pub struct PodFlags {
    /// File with pods, YAML or JSON; - is stdin. Repeatable
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["conf", "properties_file"])]
    file: Vec<PathBuf>,
    /// Spark conf as spark-submit takes it, instead of a pod; repeatable. It stands for the executor that Spark would create
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    conf: Vec<(String, String)>,
    /// Spark conf from a file such as spark-defaults.conf; --conf wins over it
    #[arg(long, value_name = "FILE", alias = "conf-file")]
    properties_file: Option<PathBuf>,
    /// The namespace, also in place of the one that a pod or review in a file says [default: that one, else default]
    #[arg(short, long, value_name = "NAME", value_parser = names::namespace)]
    namespace: Option<String>,
}

/// A key of the Spark conf that a flag of its own sets, such as `--executor-memory`.
#[derive(Clone, Copy, Debug)]
pub struct ConfFlag<'a> {
    /// The flag.
    pub flag: &'static str,
    /// The key that it sets.
    pub key: &'static str,
    /// The value.
    pub value: &'a str,
}

impl PodFlags {
    /// Pods or conf are given.
    pub fn are_given(&self) -> bool {
        !self.file.is_empty() || !self.conf.is_empty() || self.properties_file.is_some()
    }

    /// The namespace that goes before the pod's own.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The pods of the files, or the executor of the conf with what other flags set in it.
    ///
    /// # Errors
    /// What is wrong with them, a problem a line.
    pub fn read(&self, conf_flags: &[ConfFlag<'_>], mut stdin: impl Read) -> anyhow::Result<Input> {
        let mut input = Input::new(self.namespace());
        if self.file.is_empty() {
            let (conf, place) = self.spark_conf(conf_flags, stdin)?;
            input.add_executor(executor_pod(&conf)?, &place);
            return Ok(input);
        }
        input.is_list = self.file.len() > 1;
        for path in &self.file {
            let (name, text) = read(path, &mut stdin)?;
            input.add_text(&name, &text);
        }
        ensure!(input.problems.is_empty(), input.problems.join("\n"));
        if input.subjects.is_empty() && !input.is_list {
            let found: Vec<&str> = input.passed_over.keys().map(String::as_str).collect();
            bail!(
                "{}: holds no pod, but {}; give a Pod, an AdmissionReview, a list of pods, an object with a pod template, or Spark conf with --conf",
                name_of(self.file.first()),
                found.join(", ")
            );
        }
        Ok(input)
    }

    /// The conf, and where it is from.
    fn spark_conf(
        &self,
        flags: &[ConfFlag<'_>],
        mut stdin: impl Read,
    ) -> anyhow::Result<(SparkConf, String)> {
        let mut places = Vec::new();
        let mut conf = SparkConf::default();
        if let Some(path) = &self.properties_file {
            let (name, text) = read(path, &mut stdin)?;
            conf = SparkConf::from_properties(&name, &text).map_err(anyhow::Error::msg)?;
            places.push(name);
        }
        for (key, value) in &self.conf {
            conf.set_flag("--conf", key, value);
        }
        places.extend((!self.conf.is_empty()).then(|| "--conf".to_owned()));
        for ConfFlag { flag, key, value } in flags {
            conf.set_flag(flag, key, value);
            places.push((*flag).to_owned());
        }
        Ok((conf, places.join(" and ")))
    }
}

/// Reads a file, or stdin for `-`: its name in messages and its text.
fn read(path: &Path, stdin: &mut impl Read) -> anyhow::Result<(String, String)> {
    let name = name_of(Some(path));
    let mut bytes = Vec::new();
    let limit = MAX_FILE_BYTES.saturating_add(1);
    let read = if path == Path::new("-") {
        stdin.take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| anyhow!("{name}: {error}"))?;
    ensure!(
        u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES),
        "{name}: is larger than {} MiB",
        MAX_FILE_BYTES >> 20
    );
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => bail!("{name}: is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()),
    }
}

fn name_of(path: Option<&(impl AsRef<Path> + ?Sized)>) -> String {
    let name = path.map(|path| path.as_ref().display().to_string());
    name.filter(|name| name != "-").unwrap_or_else(|| "stdin".to_owned())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
