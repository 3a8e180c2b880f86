//! A file on this machine that was just taken in as a blob: read again where it lies, which spares
//! opening and unpacking what was sealed a moment ago. What is read is digested on the way, so that
//! rows are only taken from bytes that are those of the blob; whoever changes the file meanwhile is
//! found out, and the blob is read instead.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// The file, and what its last reader saw.
#[derive(Debug)]
pub struct Local {
    path: PathBuf,
    size: u64,
    seen: Mutex<Option<String>>,
}

impl Local {
    pub fn new(path: &Path, size: u64) -> Self {
        Self { path: path.to_owned(), size, seen: Mutex::default() }
    }

    pub fn open(self: &Arc<Self>) -> io::Result<Box<dyn mj_tabular::Source>> {
        let file = File::open(&self.path)?;
        Ok(Box::new(Reader { local: self.clone(), file, at: 0, digested: 0, hash: Sha256::new() }))
    }

    /// Whether the last reader read all of it, and it was this.
    pub fn was(&self, sha256: &str) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(sha256)
    }
}

struct Reader {
    local: Arc<Local>,
    file: File,
    at: u64,
    /// So many bytes from the beginning are in `hash`.
    digested: u64,
    hash: Sha256,
}

impl Reader {
    fn say(&self, seen: Option<String>) {
        *self.local.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if self.at == self.digested && count > 0 {
            self.hash.update(&buffer[..count]);
            self.digested += count as u64;
            if self.digested == self.local.size {
                self.say(Some(hex::encode(self.hash.clone().finalize())));
            } else if self.digested > self.local.size {
                self.say(None);
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        if self.at == 0 {
            // read anew from the beginning: those are the bytes that count
            self.digested = 0;
            self.hash = Sha256::new();
            self.say(None);
        }
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_meanwhile_is_found_out() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("file.csv");
        let text = "a,b\n1,2\n".repeat(20_000);
        std::fs::write(&path, &text).expect("written");
        let sum = hex::encode(Sha256::digest(&text));
        let read = |local: &Arc<Local>| {
            let mut source = local.open().expect("opened");
            let mut head = [0; 100];
            source.read_exact(&mut head).expect("head");
            source.seek(SeekFrom::Start(0)).expect("rewound");
            let mut all = String::new();
            source.read_to_string(&mut all).expect("read");
            all
        };
        let local = Arc::new(Local::new(&path, text.len() as u64));
        assert!(!local.was(&sum));
        assert_eq!(read(&local), text);
        assert!(local.was(&sum));
        std::fs::write(&path, text.replace('2', "3")).expect("changed");
        read(&local);
        assert!(!local.was(&sum));
    }
}
