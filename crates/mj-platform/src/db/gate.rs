//! SQLite has one writer. People's acts enter before bulk loads that wait beside them.

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use std::sync::Arc;

/// Who is waiting to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A person waits for the answer.
    People,
    /// A load of many rows, in chunks short enough to let people through between them.
    Bulk,
}

pub(super) struct Gate {
    door: Arc<Semaphore>,
    people_waiting: watch::Sender<usize>,
}

pub(crate) struct Pass(#[allow(dead_code)] OwnedSemaphorePermit);

/// Counts a person as waiting until dropped, also when the wait is cancelled.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|waiting| *waiting += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { door: Arc::new(Semaphore::new(1)), people_waiting: watch::Sender::new(0) }
    }

    pub(super) async fn enter(&self, lane: Lane) -> Pass {
        match lane {
            Lane::People => {
                let _waiting = Waiting::new(&self.people_waiting);
                Pass(self.permit().await)
            }
            Lane::Bulk => {
                let mut people = self.people_waiting.subscribe();
                loop {
                    // the sender lives as long as the gate, so this wait cannot fail
                    let _ = people.wait_for(|waiting| *waiting == 0).await;
                    let permit = self.permit().await;
                    if *self.people_waiting.borrow() == 0 {
                        return Pass(permit);
                    }
                }
            }
        }
    }

    async fn permit(&self) -> OwnedSemaphorePermit {
        self.door.clone().acquire_owned().await.expect("the gate's semaphore is never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_person_goes_before_the_load_that_came_first() {
        let gate = Arc::new(Gate::new());
        let held = gate.enter(Lane::People).await;
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for (lane, name) in [(Lane::Bulk, "load"), (Lane::People, "person")] {
            let (gate, order) = (gate.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let _pass = gate.enter(lane).await;
                order.lock().expect("unpoisoned").push(name);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in waiting {
            task.await.expect("entered");
        }
        assert_eq!(*order.lock().expect("unpoisoned"), ["person", "load"]);
    }
}
