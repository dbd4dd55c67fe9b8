//! Reading a file that somebody else may have made: never waits, never reads more than asked for.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Opens a regular file. Anything else, a FIFO above all, is an error: opening one would wait for its other
/// end, and with it the signals that the agent has to forward.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// The first `limit` bytes of a regular file.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_no_more_than_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let (file, fifo) = (directory.path().join("file"), directory.path().join("fifo"));
        std::fs::write(&file, "0123456789").unwrap();
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read_regular(&file, 4).unwrap(), b"0123");
        assert_eq!(read_regular(&file, 100).unwrap(), b"0123456789");
        assert_eq!(read_regular(&fifo, 4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(read_regular(directory.path(), 4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(
            read_regular(&directory.path().join("no"), 4).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
