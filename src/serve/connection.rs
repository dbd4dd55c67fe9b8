//! One connection: one request and its answer, within a time that waiting for a refresh extends.

use super::{Shared, route};
use futures::future::select;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    net::IpAddr,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};

/// One request and its answer.
const MAX_TIME: Duration = Duration::from_secs(5);

/// How long a client may take to say what it wants.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);

/// What is known of a connection besides what is said on it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Which of our addresses the client has connected to.
    pub(super) local: IpAddr,
    end: Mutex<Instant>,
    waits: AtomicBool,
}

impl Connection {
    pub(super) fn new(local: IpAddr) -> Self {
        Self { local, end: Mutex::new(Instant::now() + MAX_TIME), waits: AtomicBool::new(false) }
    }

    /// Whether the client waits for the agent, and not the agent for the client.
    pub(super) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// Waits for what is to be answered; the client's own time goes on after it.
    pub(super) async fn wait<T>(&self, at_most: Duration, answer: impl Future<Output = T>) -> T {
        self.extend(at_most);
        self.waits.store(true, Ordering::Relaxed);
        let answer = answer.await;
        self.waits.store(false, Ordering::Relaxed);
        self.extend(Duration::ZERO);
        answer
    }

    fn extend(&self, by: Duration) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + by + MAX_TIME;
    }

    /// Ends when the connection's time is over.
    async fn over(&self) {
        loop {
            let end = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }

    /// Serves until the answer is out or the time is over.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, shared: Shared) {
        let service = service_fn(|request| async {
            Ok::<_, Infallible>(route::respond(request, &shared, &self).await)
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        http.keep_alive(false).max_buf_size(16 << 10);
        let served = http.serve_connection(TokioIo::new(stream), service);
        // What goes wrong on a connection is the client's concern.
        let _ = select(pin!(served), pin!(self.over())).await;
    }
}
