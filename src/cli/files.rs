//! Files that are complete or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Readable for everybody.
pub const PUBLIC: u32 = 0o644;
/// Readable for the owner only.
pub const SECRET: u32 = 0o600;

/// Writes a file such that a reader sees the old one or all of the new one, and never a secret with open permissions.
/// Pipes and devices, `/dev/stdout` for one, are written to.
pub fn write_atomically(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(contents);
    }
    let draft = draft_path(path)?;
    let written = create(&draft, mode)
        .and_then(|mut file| {
            file.write_all(contents)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The first error is the one to tell.
        drop(fs::remove_file(&draft));
    }
    written
}

fn create(draft: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(draft)
}

/// A name beside the file, so that the rename stays in one file system.
fn draft_path(path: &Path) -> io::Result<PathBuf> {
    let name =
        path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(draft))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_mode_and_nothing_is_left_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tls.key");
        write_atomically(&path, b"old", PUBLIC).unwrap();
        write_atomically(&path, b"new", SECRET).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SECRET);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_written_to_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stdout");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        write_atomically(&path, b"new", PUBLIC).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_no_draft() {
        let directory = tempfile::tempdir().unwrap();
        let occupied = directory.path().join("occupied");
        fs::create_dir(&occupied).unwrap();
        fs::write(occupied.join("x"), "").unwrap();
        assert!(write_atomically(&occupied, b"new", PUBLIC).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
