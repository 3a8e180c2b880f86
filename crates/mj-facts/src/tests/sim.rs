//! A disk that forgets: bytes count only once their file was synced, names only once their folder
//! was. It can be cut off after a number of calls, or run full.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::disk::{Disk, Entry, ReadFile, WriteFile};

#[derive(Default)]
struct Node {
    bytes: Vec<u8>,
    synced: usize,
    modified_at: i64,
}

type Names = BTreeMap<String, Arc<Mutex<Node>>>;

#[derive(Default)]
struct State {
    names: Names,
    folders: BTreeSet<String>,
    durable_names: Names,
    durable_folders: BTreeSet<String>,
    calls_left: Option<usize>,
    bytes_left: Option<usize>,
    now: i64,
}

#[derive(Clone, Default)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl SimDisk {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while holding the disk")
    }

    /// The state, if the power is still on.
    fn call(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let mut state = self.state();
        match &mut state.calls_left {
            Some(0) => return Err(io::Error::other("power lost")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }

    pub(super) fn cut_after(&self, calls: usize) {
        self.state().calls_left = Some(calls);
    }

    pub(super) fn full_after(&self, bytes: Option<usize>) {
        self.state().bytes_left = bytes;
    }

    pub(super) fn set_time(&self, now: i64) {
        self.state().now = now;
    }

    /// Power comes back: what was not synced is gone.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        state.calls_left = None;
        state.folders = state.durable_folders.clone();
        let folders = state.folders.clone();
        let mut names = state.durable_names.clone();
        names.retain(|path, _| folders.contains(folder_of(path)));
        for node in names.values() {
            let mut node = node.lock().expect("a node");
            let synced = node.synced;
            node.bytes.truncate(synced);
        }
        state.names = names;
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// Turns over one bit behind the store's back.
    pub(super) fn damage(&self, path: &str, at: usize) {
        let node = self.state().names[path].clone();
        node.lock().expect("a node").bytes[at] ^= 1;
    }
}

struct Writing {
    disk: SimDisk,
    node: Arc<Mutex<Node>>,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.call()?;
        if let Some(left) = &mut state.bytes_left {
            if bytes.len() > *left {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "disk full"));
            }
            *left -= bytes.len();
        }
        self.node.lock().expect("a node").bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WriteFile for Writing {
    fn sync(&mut self) -> io::Result<()> {
        let _power = self.disk.call()?;
        let mut node = self.node.lock().expect("a node");
        node.synced = node.bytes.len();
        Ok(())
    }
}

impl ReadFile for Mutex<Node> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let node = self.lock().expect("a node");
        let from = offset as usize;
        let bytes = node.bytes.get(from..from + into.len());
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.lock().expect("a node").bytes.len() as u64)
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn WriteFile>> {
        let mut state = self.call()?;
        if !state.folders.contains(folder_of(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = Arc::new(Mutex::new(Node { modified_at: state.now, ..Node::default() }));
        state.names.insert(path.into(), node.clone());
        Ok(Box::new(Writing { disk: self.clone(), node }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadFile>> {
        let state = self.call()?;
        let node = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(node.clone())
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.call()?.folders.insert(path.into());
        Ok(())
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.call()?;
        if path.is_empty() {
            state.durable_folders = state.folders.clone();
            return Ok(());
        }
        let inside = |name: &String| folder_of(name) == path;
        state.durable_names.retain(|name, _| !inside(name));
        let now: Names = state
            .names
            .iter()
            .filter(|(name, _)| inside(name))
            .map(|(name, node)| (name.clone(), node.clone()))
            .collect();
        state.durable_names.extend(now);
        Ok(())
    }

    fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let state = self.call()?;
        if path.is_empty() {
            let entry =
                |name: &String| Entry { name: name.clone(), is_folder: true, modified_at: 0 };
            return Ok(state.folders.iter().map(entry).collect());
        }
        if !state.folders.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = state.names.iter().filter(|(name, _)| folder_of(name) == path);
        Ok(files
            .map(|(name, node)| Entry {
                name: name[path.len() + 1..].into(),
                is_folder: false,
                modified_at: node.lock().expect("a node").modified_at,
            })
            .collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.call()?;
        let node = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.into(), node);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let gone = self.call()?.names.remove(path);
        gone.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
