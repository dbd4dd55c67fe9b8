//! The one background thread, with an async runtime, for everything that speaks over a network.
//!
//! The main loop is synchronous: it is PID 1 for an app, and forwarding a signal must not wait behind a TLS
//! handshake. The thread and its runtime are started by the first [`Background::spawn`], so an agent that
//! uses only a mount never pays for them.

use crate::{signals, wake::Waker};
use std::{future::Future, io, thread, time::Duration};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// How long the thread of a name look-up waits for the next one: the look-ups of one round come together. It is gone
/// before the agent rests, which its end would disturb.
const LOOKUP_THREAD_IDLE: Duration = Duration::from_millis(500);

/// Owner of the background thread; dropping it stops the thread and drops what runs there.
#[derive(Debug)]
pub struct Background {
    /// Told whenever the thread goes to wait.
    waker: Waker,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Background {
    /// One that has not started anything yet. `waker` is that of the loop.
    pub fn new(waker: Waker) -> Self {
        Self { waker, running: None }
    }

    /// Runs `task` on the background thread until it ends or the owner is dropped.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        self.handle()?.spawn(task);
        Ok(())
    }

    /// The runtime, for what is made on another thread and used on its own.
    pub fn handle(&mut self) -> io::Result<&Handle> {
        let running = match self.running.take() {
            Some(running) => running,
            None => Running::start(&self.waker)?,
        };
        Ok(&self.running.insert(running).handle)
    }
}

impl Running {
    fn start(waker: &Waker) -> io::Result<Self> {
        let worked = || {
            let waker = waker.clone();
            move || waker.worked()
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            // Name look-ups block a thread of their own. One a vault and round does not deserve to stay.
            .thread_keep_alive(LOOKUP_THREAD_IDLE)
            .on_thread_start(signals::hold)
            .on_thread_park(worked())
            .on_thread_stop(worked())
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("background".into()).spawn(move || {
            // The kernel gives a signal to any thread that does not block it, and those are for the main loop.
            signals::hold();
            let _ = runtime.block_on(stopped);
            // A name look-up that is still under way must not hold up the exit.
            runtime.shutdown_background();
        })?;
        signals::hold();
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::WakeReceiver;
    use std::{os::fd::AsFd, sync::mpsc};

    fn background() -> Background {
        Background::new(WakeReceiver::new().unwrap().waker())
    }

    #[test]
    fn there_is_no_thread_before_there_is_a_task() {
        let mut background = background();
        assert!(background.running.is_none());
        let (sender, receiver) = mpsc::channel();
        background
            .spawn(async move { sender.send(thread::current().name().map(str::to_owned)).unwrap_or(()) })
            .expect("thread");
        assert_eq!(receiver.recv().expect("ran").as_deref(), Some("background"));
    }

    #[test]
    fn dropping_the_owner_drops_what_runs() {
        let mut background = background();
        let (sender, receiver) = mpsc::channel::<()>();
        let task = async move {
            std::future::pending::<()>().await;
            drop(sender);
        };
        background.spawn(task).expect("thread");
        drop(background);
        assert!(receiver.recv().is_err());
    }

    #[test]
    fn a_loop_that_rests_learns_of_each_piece_of_work() {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let receiver = WakeReceiver::new().unwrap();
        let mut background = Background::new(receiver.waker());
        for _ in 0..2 {
            receiver.rests();
            background.spawn(async {}).expect("thread");
            let mut fds = [PollFd::new(receiver.as_fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut fds, PollTimeout::from(20_000_u16)), Ok(1));
            assert!(!receiver.take());
        }
    }
}
