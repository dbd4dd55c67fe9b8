//! The one background thread, with an async runtime, for everything that speaks over a network.
//!
//! The main loop is synchronous: it is PID 1 for an app, and forwarding a signal must not wait behind a TLS
//! handshake. The thread and its runtime are started by the first [`Background::spawn`], so an agent that
//! uses only a mount never pays for them.

use std::{future::Future, io, thread};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Owner of the background thread; dropping it stops the thread and drops what runs there.
#[derive(Debug, Default)]
pub struct Background(Option<Running>);

#[derive(Debug)]
struct Running {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Background {
    /// Runs `task` on the background thread until it ends or the owner is dropped.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        if self.0.is_none() {
            self.0 = Some(Running::start()?);
        }
        if let Some(running) = &self.0 {
            running.handle.spawn(task);
        }
        Ok(())
    }
}

impl Running {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("background".into()).spawn(move || {
            let _ = runtime.block_on(stopped);
            // A name look-up that is still under way must not hold up the exit.
            runtime.shutdown_background();
        })?;
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
