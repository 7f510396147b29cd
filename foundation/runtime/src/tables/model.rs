//! Tables in memory, for tests and the simulator.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Backing, Changes, Entries, Order, View, Visit};

/// Tables in memory that know what a power cut would leave. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ModelBacking {
    model: Arc<Mutex<Model>>,
}

#[derive(Debug, Default)]
struct Model {
    seen: BTreeMap<Vec<u8>, Vec<u8>>,
    synced: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl ModelBacking {
    /// Empty tables.
    pub fn new() -> ModelBacking {
        ModelBacking::default()
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power: what was not synced is gone.
    pub fn crash(&self) {
        let mut model = self.model();
        model.seen = model.synced.clone();
    }
}

impl Backing for ModelBacking {
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.model().seen.get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, most: usize) -> io::Result<Entries> {
        let model = self.model();
        let entries = model.seen.range(from.to_vec()..to.to_vec());
        let entries = entries.map(|(key, value)| (key.clone(), value.clone()));
        Ok(match order {
            Order::Rising => entries.take(most).collect(),
            Order::Falling => entries.rev().take(most).collect(),
        })
    }

    fn commit(&self, changes: &Changes) -> io::Result<()> {
        let mut model = self.model();
        for (key, change) in changes {
            match change {
                Some(value) => drop(model.seen.insert(key.clone(), value.clone())),
                None => drop(model.seen.remove(key)),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut model = self.model();
        model.synced = model.seen.clone();
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        Box::new(Picture(self.model().seen.clone()))
    }
}

struct Picture(BTreeMap<Vec<u8>, Vec<u8>>);

impl View for Picture {
    fn each(&self, visit: &mut Visit<'_>) -> io::Result<()> {
        self.0.iter().try_for_each(|(key, value)| visit(key, value))
    }
}
