//! Machines that are in their firmware at this moment: DHCP hears of them, and HTTP asks before it takes a request for a boot.
//!
//! A node that is up may have users, and each of them can ask for its script. What only its firmware, its kernel or somebody who
//! owns its wire can send is a packet of DHCP without an address of its own, from a port below 1024.
//!
//! What was heard is kept in a file, too: a daemon that starts anew between a machine's packet and its question knows it. A line is
//! `+MAC MILLISECONDS` for one that was heard of at that time since 1970, `-MAC` for one that has had its answer.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::mac::Mac;

/// How long after its packet firmware fetches its script; iPXE does so within seconds, or after it has waited for a router.
const WITHIN: Duration = Duration::from_secs(60);
/// A file that has grown so large, and to twice of what it was, is written anew with what still counts.
const LARGE: usize = 256 << 10;

/// Where so many machines are known, those that do not count any more are forgotten, and strangers are not added to the others.
const MANY: usize = if cfg!(test) { 100 } else { 10_000 };

/// Nodes' machines that were heard of, and of strangers no more than [`MANY`], so that a flood of them takes no more memory.
#[derive(Debug, Default)]
pub struct Arrivals {
    seen: Mutex<Seen>,
    is_fed: AtomicBool,
}

#[derive(Debug, Default)]
struct Seen {
    machines: HashMap<Mac, Instant>,
    kept: Option<Kept>,
}

/// The file, open to be added to.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: File,
    length: usize,
    most: usize,
}

impl Arrivals {
    /// With those that the file knows of, which is made on first use.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let machines = read(&String::from_utf8_lossy(&text));
        let kept = Some(Kept::begin(path, &machines)?);
        Ok(Self { seen: Mutex::new(Seen { machines, kept }), is_fed: AtomicBool::default() })
    }

    /// From now on it is told of every machine that boots, and statuses are written.
    pub fn feed(&self) {
        self.is_fed.store(true, Ordering::Relaxed);
    }

    /// Whether one that it was not told of does not boot: not so beside a DHCP server of the site's own.
    pub(crate) fn is_fed(&self) -> bool {
        self.is_fed.load(Ordering::Relaxed)
    }

    /// The machine of a node is in its firmware, or in the maintenance system.
    pub(crate) fn saw(&self, mac: Mac) {
        self.seen().note(mac);
    }

    /// A machine that is nobody's is in the maintenance system; it may be a node's by the time when it asks again.
    pub(crate) fn saw_stranger(&self, mac: Mac) {
        let mut seen = self.seen();
        if seen.machines.len() >= MANY {
            seen.forget();
        }
        if seen.machines.len() < MANY || seen.machines.contains_key(&mac) {
            seen.note(mac);
        }
    }

    /// Whether it was there just now, which whoever asks next is told, too.
    pub(crate) fn has(&self, mac: Mac) -> bool {
        self.seen().machines.get(&mac).is_some_and(|since| since.elapsed() <= WITHIN)
    }

    /// Whether it was there just now. One packet stands for one boot: whoever asks next is told no.
    pub(crate) fn take(&self, mac: Mac) -> bool {
        let mut seen = self.seen();
        let Some(since) = seen.machines.remove(&mac) else { return false };
        seen.keep(&format!("-{mac}\n"));
        since.elapsed() <= WITHIN
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn note(&mut self, mac: Mac) {
        self.machines.insert(mac, Instant::now());
        self.keep(&line(mac, SystemTime::now()));
    }

    /// Those that do not count any more.
    fn forget(&mut self) {
        self.machines.retain(|_, since| since.elapsed() <= WITHIN);
    }

    /// Adds a line to the file. Without it a daemon that starts anew at this moment asks the machine to boot once more, which is
    /// no reason to leave it without its answer now.
    fn keep(&mut self, line: &str) {
        let is_full = self.kept.as_ref().is_some_and(|kept| kept.length > kept.most);
        if is_full {
            self.forget();
        }
        let Some(kept) = &mut self.kept else { return };
        let written = match is_full {
            true => Kept::begin(&kept.path, &self.machines).map(|anew| *kept = anew),
            false => kept.file.write_all(line.as_bytes()),
        };
        kept.length += line.len();
        if let Err(error) = written {
            tracing::warn!(file = %kept.path.display(), %error, "arrivals are not kept");
        }
    }
}

impl Kept {
    /// The file with those of `machines` that still count, in place of what was there.
    fn begin(path: &Path, machines: &HashMap<Mac, Instant>) -> io::Result<Self> {
        let now = SystemTime::now();
        let lines = machines.iter().filter_map(|(mac, since)| {
            let age = Some(since.elapsed()).filter(|age| *age <= WITHIN)?;
            Some(line(*mac, now.checked_sub(age)?))
        });
        let text: String = lines.collect();
        let beside = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&beside, path)?;
        Ok(Self { path: path.to_owned(), file, length: text.len(), most: LARGE.max(2 * text.len()) })
    }
}

fn line(mac: Mac, time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("+{mac} {}\n", since.as_millis())
}

/// Those of a file that still count; a line that was cut off by an end of ours tells nothing.
fn read(text: &str) -> HashMap<Mac, Instant> {
    let (now, here) = (SystemTime::now(), Instant::now());
    let mut machines = HashMap::new();
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        if let Some(mac) = line.strip_prefix('-').and_then(|mac| mac.parse::<Mac>().ok()) {
            machines.remove(&mac);
        }
        let heard = line.strip_prefix('+').and_then(|rest| rest.split_once(' '));
        let heard = heard.and_then(|(mac, time)| Some((mac.parse::<Mac>().ok()?, time.parse().ok()?)));
        let Some((mac, time)) = heard else { continue };
        let time = UNIX_EPOCH.checked_add(Duration::from_millis(time));
        // What is of the future was written before the clock was set back.
        let age = time.and_then(|time| now.duration_since(time).ok()).filter(|age| *age <= WITHIN);
        machines.extend(age.and_then(|age| here.checked_sub(age)).map(|since| (mac, since)));
    }
    machines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_stands_for_one_boot_and_not_for_long() {
        let (arrivals, mac) = (Arrivals::default(), Mac([2; 6]));
        assert!(!arrivals.has(mac) && !arrivals.take(mac));
        arrivals.saw(mac);
        assert!(arrivals.has(mac) && arrivals.take(mac) && !arrivals.has(mac) && !arrivals.take(mac));
        arrivals.saw(mac);
        let long_ago = Instant::now().checked_sub(WITHIN + Duration::from_secs(1));
        *arrivals.seen().machines.get_mut(&mac).unwrap() = long_ago.expect("this machine has run for a minute");
        assert!(!arrivals.has(mac) && !arrivals.take(mac));
    }

    #[test]
    fn a_daemon_that_starts_anew_knows_who_is_there() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("arrivals");
        let [first, second, third] = [1, 2, 3].map(|last| Mac([2, 0, 0, 0, 0, last]));
        let before = Arrivals::open(&path).unwrap();
        [first, second].into_iter().for_each(|mac| before.saw(mac));
        assert!(before.take(second));
        // The end came in the middle of a line, and one is older than counts.
        let old = SystemTime::now() - WITHIN - Duration::from_secs(1);
        let cut = line(second, SystemTime::now());
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(format!("{}nonsense\n{}", line(third, old), &cut[..cut.len() - 1]).as_bytes()).unwrap();
        let anew = Arrivals::open(&path).unwrap();
        assert!(anew.has(first) && !anew.has(second) && !anew.has(third));
        assert!(anew.take(first));
        assert!(!Arrivals::open(&path).unwrap().has(first), "it has had its answer");
    }

    #[test]
    fn a_flood_of_strangers_takes_no_more_memory_and_no_place_of_a_node() {
        let arrivals = Arrivals::default();
        let numbered = |first: u8, number: usize| {
            let [.., second, last] = number.to_be_bytes();
            Mac([first, 0, 0, 0, second, last])
        };
        (0..2 * MANY).for_each(|number| arrivals.saw_stranger(numbered(2, number)));
        assert_eq!(arrivals.seen().machines.len(), MANY);
        assert!(arrivals.has(numbered(2, 0)), "it is there still");
        let node = numbered(6, 0);
        arrivals.saw(node);
        assert!(arrivals.take(node));
        let long_ago = Instant::now().checked_sub(WITHIN + Duration::from_secs(1));
        let long_ago = long_ago.expect("this machine has run for a minute");
        arrivals.seen().machines.values_mut().for_each(|since| *since = long_ago);
        arrivals.saw_stranger(numbered(2, 2 * MANY));
        assert_eq!(arrivals.seen().machines.len(), 1);
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("arrivals");
        let (arrivals, mac) = (Arrivals::open(&path).unwrap(), Mac([2; 6]));
        for _ in 0..20_000 {
            arrivals.saw(mac);
        }
        let length = fs::metadata(&path).unwrap().len();
        assert!(length <= LARGE as u64 + 100, "{length}");
        assert!(Arrivals::open(&path).unwrap().has(mac));
    }

    #[test]
    fn who_does_not_count_any_more_is_forgotten_with_the_old_file() {
        let home = tempfile::tempdir().unwrap();
        let (arrivals, mac) = (Arrivals::open(&home.path().join("arrivals")).unwrap(), Mac([2; 6]));
        let long_ago = Instant::now().checked_sub(WITHIN + Duration::from_secs(1));
        arrivals.seen().machines.insert(Mac([6; 6]), long_ago.expect("this machine has run for a minute"));
        (0..10_000).for_each(|_| arrivals.saw(mac));
        assert_eq!(arrivals.seen().machines.len(), 1);
    }
}
