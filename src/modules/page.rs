//! Files that people write, read as text. Only regular ones are: a pipe would be waited for, and others are no text.

use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// Such a file is pages, not megabytes.
const LARGEST: u64 = 1 << 20;

/// What a file says; `None` if there is no such file.
pub(crate) fn read(file: &Path) -> Result<Option<String>, String> {
    let text = match open(file) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        opened => opened.and_then(whole).map_err(|error| error.to_string())?,
    };
    let wrong = |error: std::string::FromUtf8Error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|&&byte| byte == b'\n').count() + 1;
        format!("line {line} is no text in UTF-8")
    };
    String::from_utf8(text).map(Some).map_err(wrong)
}

fn open(file: &Path) -> io::Result<File> {
    // A socket cannot be opened at all, and is told for what it is.
    regular(fs::metadata(file)?.file_type())?;
    // Should it have become a pipe meanwhile, nobody waits for whoever writes to it.
    let opened = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(file)?;
    regular(opened.metadata()?.file_type())?;
    Ok(opened)
}

fn regular(kind: FileType) -> io::Result<()> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::other(format!("it is {what}, and no regular file")))
}

fn whole(file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text)?;
    match text.len() as u64 > LARGEST {
        true => {
            Err(io::Error::other(format!("it has more than {} MiB, and is no text that people write", LARGEST >> 20)))
        }
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn only_regular_files_of_text_are_read() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("it");
        let check = |expected: Result<Option<&str>, &str>| {
            assert_eq!(read(&file), expected.map(|text| text.map(str::to_owned)).map_err(str::to_owned));
        };
        check(Ok(None));
        fs::create_dir(&file).unwrap();
        check(Err("it is a directory, and no regular file"));
        assert_eq!(read(&file.join("x")), Ok(None));
        fs::remove_dir(&file).unwrap();
        nix::unistd::mkfifo(&file, Mode::S_IRWXU).unwrap();
        check(Err("it is a pipe, and no regular file"));
        fs::remove_file(&file).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(&file).unwrap();
        check(Err("it is a socket, and no regular file"));
        drop(socket);
        fs::remove_file(&file).unwrap();
        fs::write(&file, "a = 1\n").unwrap();
        check(Ok(Some("a = 1\n")));
        assert_eq!(read(&file.join("x")), Ok(None), "a file has no files");
        fs::write(&file, b"a = 1\nb = '\xff'\n").unwrap();
        check(Err("line 2 is no text in UTF-8"));
        fs::write(&file, vec![b'x'; (LARGEST + 1) as usize]).unwrap();
        check(Err("it has more than 1 MiB, and is no text that people write"));
        assert_eq!(read(Path::new("/dev/zero")), Err("it is a device, and no regular file".to_owned()));
    }
}
