//! Small files that were asked for just now: a thousand machines that load the same at once cost one look at the tables and at the
//! disk. What has changed there is seen a second later.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;

use crate::root::Opened;

const KEPT: Duration = Duration::from_secs(1);

/// A file as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Small {
    pub(crate) bytes: Bytes,
    pub(crate) modified: Option<SystemTime>,
}

/// Files that everybody may have, by their paths.
#[derive(Debug)]
pub(crate) struct Recent {
    largest: u64,
    most: usize,
    kept: Mutex<HashMap<String, (Instant, Small)>>,
}

impl Recent {
    /// Of `most` files at a time, none of them larger than `largest` bytes: what is larger is read in pieces.
    pub(crate) fn new(most: usize, largest: u64) -> Self {
        Self { largest, most, kept: Mutex::default() }
    }

    pub(crate) fn find(&self, path: &str) -> Option<Small> {
        let kept = self.kept();
        kept.get(path).filter(|(since, _)| since.elapsed() < KEPT).map(|(_, small)| small.clone())
    }

    /// Reads a file that is small, and keeps it.
    pub(crate) fn read(&self, path: String, opened: &Opened) -> io::Result<Option<Small>> {
        if opened.length > self.largest {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(opened.length).unwrap_or_default()];
        opened.file.read_exact_at(&mut bytes, 0)?;
        let small = Small { bytes: bytes.into(), modified: opened.modified };
        let mut kept = self.kept();
        if kept.len() >= self.most {
            kept.retain(|_, (since, _)| since.elapsed() < KEPT);
        }
        if kept.len() < self.most {
            kept.insert(path, (Instant::now(), small.clone()));
        }
        Ok(Some(small))
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, (Instant, Small)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::root::Root;

    #[test]
    fn what_is_small_is_kept_for_a_moment() {
        let place = tempfile::tempdir().unwrap();
        let root = Root::new([place.path().to_owned()]);
        let recent = Recent::new(256, 32 << 10);
        let put = |length: usize| fs::write(place.path().join("f"), vec![b'x'; length]).unwrap();
        let read = || recent.read("f".into(), &root.open("f").unwrap()).unwrap().map(|small| small.bytes.len());
        put(9);
        assert!(recent.find("f").is_none());
        assert_eq!(read(), Some(9));
        put(10);
        assert_eq!(recent.find("f").unwrap().bytes.len(), 9);
        let ago = Instant::now().checked_sub(KEPT).expect("this machine has run for a second");
        recent.kept().get_mut("f").unwrap().0 = ago;
        assert!(recent.find("f").is_none());
        put(40_000);
        assert_eq!(read(), None);
        put(1);
        for name in 0..1000 {
            recent.read(name.to_string(), &root.open("f").unwrap()).unwrap();
        }
        assert!(recent.kept().len() <= 256);
    }
}
