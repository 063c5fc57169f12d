//! The key by which ssh knows a node that boots by us: made here once, given to it at every boot, or when a system is installed on
//! it, and known to xcrane from the beginning.
//!
//! A node that makes its key itself has another after each boot, and nobody can tell it from a stranger. The private half is
//! `nodes/NODE/ssh_host_ed25519_key` of the home, which only the node gets (see `http`); the public one stands in `known_hosts`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// The name of the file, which a node has at the same place as any other: `/etc/ssh`.
pub const FILE: &str = "ssh_host_ed25519_key";

/// The file of a home with the keys of its nodes, in OpenSSH's form.
pub const KNOWN: &str = "known_hosts";

const KIND: &[u8] = b"ssh-ed25519";

/// How many letters of base64 OpenSSH writes a line.
const WIDTH: usize = 70;

/// The threads of one daemon take turns at `known_hosts`.
static TURN: Mutex<()> = Mutex::new(());

/// Makes the key of a node unless it has one, and sees to it that it is known by these names.
pub fn ensure(home: &Path, node: &str, names: &[&str]) -> io::Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let path = home.join("nodes").join(node).join(FILE);
    let public = path.with_extension("pub");
    if !path.exists() || !public.exists() {
        let (secret, known) = make(node)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap_or(home))?;
        // The private half comes last: it is what tells that both are there.
        put(&public, &known, 0o644)?;
        put(&path, &secret, 0o600)?;
    }
    let key = fs::read_to_string(&public)?;
    let key = key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let known = home.join(KNOWN);
    let before = match fs::read_to_string(&known) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let after = introduce(&before, names, &key);
    if after == before { Ok(()) } else { put(&known, &after, 0o644) }
}

/// A key of a seed that nobody else has: as its owner keeps it, and as all may know it.
fn make(comment: &str) -> io::Result<(String, String)> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(written(&seed, comment))
}

/// OpenSSH's own form (its file PROTOCOL.key), without a password:
///
/// ```text
/// "openssh-key-v1\0"  "none"  "none"  ""  1  public  private
/// public   "ssh-ed25519"  32 octets
/// private  a number twice  "ssh-ed25519"  32 octets  seed and the 32 octets  comment  1 2 3 … until 8 divides it
/// ```
fn written(seed: &[u8; 32], comment: &str) -> (String, String) {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed may be any 32 octets");
    let point = pair.public_key().as_ref();
    let public = [string(KIND), string(point)].concat();
    // The number twice tells a wrong password, of which there is none.
    let mut private = vec![0; 8];
    private.extend([string(KIND), string(point), string(&[seed, point].concat()), string(comment.as_bytes())].concat());
    let missing = private.len().next_multiple_of(8) - private.len();
    private.extend((1..=8).take(missing));
    let whole = [
        b"openssh-key-v1\0".as_slice(),
        &string(b"none"),
        &string(b"none"),
        &string(b""),
        &1_u32.to_be_bytes(),
        &string(&public),
        &string(&private),
    ]
    .concat();
    let mut text = String::from("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for line in STANDARD.encode(whole).as_bytes().chunks(WIDTH) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str("-----END OPENSSH PRIVATE KEY-----\n");
    (text, format!("ssh-ed25519 {} {comment}\n", STANDARD.encode(public)))
}

/// A length of four octets, then the octets.
fn string(octets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(octets.len()).expect("parts of a key are short");
    [&length.to_be_bytes(), octets].concat()
}

/// The text of `known_hosts` in which these names have this key and no other.
fn introduce(text: &str, names: &[&str], key: &str) -> String {
    let line = format!("{} {key}", names.join(","));
    if text.lines().any(|known| known == line) {
        return text.to_owned();
    }
    let is_other = |known: &&str| {
        let mut theirs = known.split(' ').next().unwrap_or_default().split(',');
        !theirs.any(|name| names.contains(&name))
    };
    text.lines().filter(is_other).chain([line.as_str()]).map(|line| format!("{line}\n")).collect()
}

/// Writes a file that is there as a whole or not at all.
fn put(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let beside = path.with_extension(format!("{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_openssh_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("nodes/n1").join(FILE);
        ensure(home.path(), "n1", &["n1", "10.0.0.1"]).unwrap();
        let secret = fs::read_to_string(&path).unwrap();
        ensure(home.path(), "n1", &["n1", "10.0.0.1"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), secret);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let asked = Command::new("ssh-keygen").arg("-y").arg("-f").arg(&path).output().unwrap();
        let known = fs::read_to_string(path.with_extension("pub")).unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.stdout), known, "{}", String::from_utf8_lossy(&asked.stderr));
        let line = fs::read_to_string(home.path().join(KNOWN)).unwrap();
        assert_eq!(line, format!("n1,10.0.0.1 {}\n", known.trim().trim_end_matches(" n1")));
    }

    #[test]
    fn a_name_has_one_key() {
        let check = |text: &str, names: &[&str], expected: &str| assert_eq!(introduce(text, names, "k B"), expected);
        check("", &["n1"], "n1 k B\n");
        check("n1,10.0.0.1 k A\nn2,10.0.0.2 k A\n", &["n1", "10.0.0.2"], "n1,10.0.0.2 k B\n");
        check("n11 k A\nn1 k B\n", &["n1"], "n11 k A\nn1 k B\n");
    }
}
