//! The image's binary, confined to its image by the script beside this.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::{output_of, repository, skipped};

const NAMESPACES_FORBIDDEN: i32 = 3;

/// The program, for arguments to be added; none where the machine allows no confinement, which is said aloud.
pub(crate) fn command(root: &Path) -> Option<Command> {
    let confined = || {
        let mut command = Command::new(repository().join("tests/image/confine"));
        command.arg(root).arg("/spark-swap");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command
    };
    let tried = confined().arg("--version").output().unwrap();
    let problem = String::from_utf8_lossy(&tried.stderr);
    if tried.status.code() == Some(NAMESPACES_FORBIDDEN) {
        skipped(&problem);
        return None;
    }
    assert!(tried.status.success(), "{problem}");
    Some(confined())
}

/// `spark-swap serve`, confined and ready.
pub(crate) struct Confined {
    child: Child,
    log: BufReader<ChildStderr>,
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Confined {
    pub(crate) fn serve(root: &Path) -> Option<Self> {
        let mut command = command(root)?;
        command.args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--drain-delay=0s"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let ready = line_with("ready", &mut log).replace(['=', '"'], " ");
        let address = |name: &str| {
            let mut after = ready.split_whitespace().skip_while(|word| *word != name);
            after.find_map(|word| word.parse().ok()).unwrap()
        };
        Some(Self { child, log, https: address("listen"), admin: address("admin_listen") })
    }

    /// The authority that it prints.
    pub(crate) fn printed_ca(&mut self) -> String {
        let mut stdout = BufReader::new(self.child.stdout.take().unwrap());
        let mut ca = String::new();
        while !ca.contains("END CERTIFICATE") {
            assert_ne!(stdout.read_line(&mut ca).unwrap(), 0, "{ca}");
        }
        ca
    }

    /// What the kernel says of the process: the user it is, no capabilities, and no way to any.
    pub(crate) fn holds_no_rights(&self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let value = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
        };
        for capabilities in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(value(capabilities).trim_start_matches('0'), "", "{capabilities}");
        }
        assert_eq!(value("NoNewPrivs"), "1");
        // Without root the kernel shows our own user here, which is 65532 inside.
        if output_of(Command::new("id").arg("-u")).trim() == "0" {
            assert_eq!(value("Uid"), "65532\t65532\t65532\t65532");
            assert_eq!(value("Gid"), "65532\t65532\t65532\t65532");
        }
    }

    /// Ends it as a kubelet does; its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        output_of(Command::new("kill").args(["-s", "TERM", &id]));
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn line_with(word: &str, log: &mut BufReader<ChildStderr>) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "no {word:?} in {seen}");
        seen.push_str(&line);
        if line.contains(word) {
            return line;
        }
    }
}
