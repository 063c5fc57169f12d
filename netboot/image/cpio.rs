//! Archives as the kernel unpacks them into its first file system: cpio's "new ASCII" format.
//!
//! Owners, times and the numbers of inodes are the same in every archive, so that the same content is the same bytes.

/// An archive that grows.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTERS: u32 = 0o020_000;

impl Archive {
    /// A directory; those above it come first.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, (0, 0), b"");
    }

    /// A file, which all may run if `mode` says so.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, FILE | mode, (0, 0), content);
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.entry(path, LINK | 0o777, (0, 0), target.as_bytes());
    }

    /// A character device by its two numbers.
    pub fn device(&mut self, path: &str, numbers: (u32, u32)) {
        self.entry(path, CHARACTERS | 0o600, numbers, b"");
    }

    /// The whole archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entries = u32::MAX; // so that the trailer's number is 0, as everybody writes it
        self.entry("TRAILER!!!", 0, (0, 0), b"");
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.entries = self.entries.wrapping_add(1);
        let size = u32::try_from(content.len()).expect("nothing in an initial RAM disk has four gigabytes");
        let length = u32::try_from(path.len() + 1).expect("paths are short");
        let (inode, owner, links, time, device, checksum) = (self.entries, 0, 1, 0, 0, 0);
        let fields = [inode, mode, owner, owner, links, time, size, device, device, major, minor, length, checksum];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    /// Everything begins at a multiple of four.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_byte_by_byte() {
        let mut archive = Archive::default();
        archive.file("a", 0o644, b"hello");
        let bytes = archive.finish();
        // Inode, mode, owner, group, links, time, size, four numbers of devices, length of the name, checksum.
        let zeros = |count: usize| "0".repeat(8 * count);
        let file = format!("00000001000081a4{}00000001{}00000005{}00000002{}", zeros(2), zeros(1), zeros(4), zeros(1));
        let end = format!("{}00000001{}0000000b{}", zeros(4), zeros(6), zeros(1));
        let expected = format!("070701{file}a\0hello\0\0\0070701{end}TRAILER!!!\0\0\0\0");
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn everything_is_aligned_and_numbered() {
        let mut archive = Archive::default();
        archive.directory("dev");
        archive.device("dev/console", (5, 1));
        archive.link("init", "bin/busybox");
        let bytes = archive.finish();
        let starts: Vec<usize> =
            bytes.windows(6).enumerate().filter(|(_, six)| six == b"070701").map(|(at, _)| at).collect();
        assert_eq!(starts.len(), 4);
        assert!(starts.iter().all(|start| start % 4 == 0), "{starts:?}");
        let inodes: Vec<&[u8]> = starts.iter().map(|start| &bytes[start + 6..start + 14]).collect();
        assert_eq!(inodes, [b"00000001", b"00000002", b"00000003", b"00000000"]);
    }
}
