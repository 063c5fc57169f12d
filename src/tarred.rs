//! Plain tars of ours, in which a list tells name, size and digest of every member: written, and read with nothing taken on trust.

use std::io::{self, Read, Write};

use plugins::{Hashed, hex};

/// What everything in a tar is rounded up to.
pub(crate) const BLOCK: u64 = 512;

/// Adds a member that no list tells of.
pub(crate) fn text(file: &mut impl Write, name: &str, text: &[u8]) -> io::Result<()> {
    begin(file, name, text.len() as u64)?;
    file.write_all(text)?;
    fill(file, text.len() as u64)
}

/// Adds a member; what has changed since its digest was told is an error.
pub(crate) fn append(
    file: &mut impl Write,
    name: &str,
    size: u64,
    sha256: &str,
    content: &mut impl Read,
) -> io::Result<()> {
    begin(file, name, size)?;
    if !copy(content, size, sha256, file)? || content.read(&mut [0])? != 0 {
        return Err(bad(&format!("{name} is not what its digest says")));
    }
    fill(file, size)
}

/// A tar ends with two empty blocks.
pub(crate) fn end(file: &mut impl Write) -> io::Result<()> {
    file.write_all(&[0; 2 * BLOCK as usize])
}

/// The header of a member, which its content follows.
pub(crate) fn begin(file: &mut impl Write, name: &str, size: u64) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    file.write_all(header.as_bytes())
}

/// Fills the last block of a member.
pub(crate) fn fill(file: &mut impl Write, size: u64) -> io::Result<()> {
    let padding = size.next_multiple_of(BLOCK) - size;
    file.write_all(&[0; BLOCK as usize][..usize::try_from(padding).unwrap_or_default()])
}

/// Copies so many bytes; whether these have that digest.
pub(crate) fn copy(from: &mut impl Read, size: u64, sha256: &str, to: &mut impl Write) -> io::Result<bool> {
    let mut hashed = Hashed::new(from.take(size));
    let copied = io::copy(&mut hashed, to)?;
    Ok(copied == size && hex(&hashed.digest()) == sha256)
}

/// The next member's name and size; `foreign` is what is said of a file that is no tar of ours.
pub(crate) fn header(file: &mut impl Read, foreign: &str) -> io::Result<(String, u64)> {
    let mut header = tar::Header::new_old();
    file.read_exact(header.as_mut_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => bad(foreign),
        _ => error,
    })?;
    let damaged = |_| bad(foreign);
    let bytes = header.as_bytes();
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    // The field of the checksum counts as eight spaces.
    let counted = sum(&bytes[..148]) + 8 * u32::from(b' ') + sum(&bytes[156..]);
    if header.cksum().map_err(damaged)? != counted || header.entry_type() != tar::EntryType::Regular {
        return Err(bad(foreign));
    }
    let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
    Ok((name, header.entry_size().map_err(damaged)?))
}

/// Goes behind what fills the last block of a member.
pub(crate) fn pass(file: &mut impl Read, size: u64) -> io::Result<()> {
    let padding =
        size.checked_next_multiple_of(BLOCK).ok_or_else(|| bad("a member of it has no size that can be"))? - size;
    io::copy(&mut file.take(padding), &mut io::sink()).map(drop)
}

/// Refuses what goes on, or has not ended, behind the last member.
pub(crate) fn ended(file: &mut impl Read) -> io::Result<()> {
    let mut end = [1; 2 * BLOCK as usize];
    file.read_exact(&mut end)?;
    match end.iter().any(|byte| *byte != 0) || file.read(&mut [0])? != 0 {
        true => Err(bad("there is more in it than it says")),
        false => Ok(()),
    }
}

pub(crate) fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_ends_in_its_header_is_none_of_ours() {
        let mut whole = Vec::new();
        begin(&mut whole, "list", 7).unwrap();
        assert_eq!(header(&mut whole.as_slice(), "foreign").unwrap(), ("list".to_owned(), 7));
        for length in [0, 1, whole.len() - 1] {
            assert_eq!(header(&mut &whole[..length], "foreign").unwrap_err().to_string(), "foreign", "{length} bytes");
        }
    }
}
