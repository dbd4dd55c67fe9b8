//! How a request gets from the server's thread to the loop.

use super::{Answer, Ask};
use crate::wake::Waker;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Who waits holds a connection and a place; more than this many want something else than a refresh.
const MAX_WAITING: usize = 64;

/// Where requests are left for the loop. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Inbox {
    asks: Arc<Mutex<Vec<Ask>>>,
    places: Arc<Semaphore>,
    waker: Waker,
}

/// All places to wait at are taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// Somebody who waits; gives the place back when it is dropped.
#[derive(Debug)]
pub struct Place {
    answer: oneshot::Receiver<Answer>,
    _permit: OwnedSemaphorePermit,
}

impl Inbox {
    /// An empty one for the loop that `waker` wakes.
    pub fn new(waker: Waker) -> Self {
        Self { asks: Arc::default(), places: Arc::new(Semaphore::new(MAX_WAITING)), waker }
    }

    /// Asks for a refresh without waiting for what comes of it.
    pub fn nudge(&self) {
        {
            let mut asks = self.lock();
            // The loop may be busy, and any number of such requests must not take more room than one.
            let nudge = asks.iter_mut().find_map(|ask| match ask {
                Ask::Nudge(times) => Some(times),
                Ask::Wait { .. } => None,
            });
            match nudge {
                Some(times) => *times += 1,
                None => asks.push(Ask::Nudge(1)),
            }
        }
        self.waker.wake();
    }

    /// Asks for a refresh, to be answered `within` that time.
    pub fn ask(&self, within: Duration) -> Result<Place, Full> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Full)?;
        let (reply, answer) = oneshot::channel();
        {
            let mut asks = self.lock();
            // Their places are free again, and so must be their memory, also if the loop does not look.
            asks.retain(|ask| !matches!(ask, Ask::Wait { reply, .. } if reply.is_closed()));
            asks.push(Ask::Wait { within, reply });
        }
        self.waker.wake();
        Ok(Place { answer, _permit: permit })
    }

    /// Takes what has come in.
    pub fn take(&self) -> Vec<Ask> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Ask>> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The answer; `None` if the loop has ended.
    pub async fn answer(self) -> Option<Answer> {
        self.answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::WakeReceiver;

    #[test]
    fn places_are_few_and_come_back() {
        let wake = WakeReceiver::new().unwrap();
        let inbox = Inbox::new(wake.waker());
        let ask = || inbox.ask(Duration::from_secs(1));
        let mut places: Vec<_> = (0..MAX_WAITING).map(|_| ask().unwrap()).collect();
        assert!(wake.take());
        assert_eq!(ask().unwrap_err(), Full);
        places.pop();
        places.push(ask().unwrap());
        assert_eq!(ask().unwrap_err(), Full);
        assert_eq!(inbox.take().len(), MAX_WAITING, "who has gone is not kept");
    }

    #[test]
    fn nudges_merge() {
        let wake = WakeReceiver::new().unwrap();
        let inbox = Inbox::new(wake.waker());
        (0..1000).for_each(|_| inbox.nudge());
        assert!(wake.take());
        assert!(matches!(&*inbox.take(), [Ask::Nudge(1000)]));
        assert!(inbox.take().is_empty());
    }
}
