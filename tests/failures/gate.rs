//! A TCP relay before a far end, which can lead elsewhere or be shut.

use super::support::eventually;
use std::{
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};
use tokio::net::TcpSocket;

/// A relay with a port of its own. While it is shut, its port refuses connections and is nobody else's.
pub(crate) struct Gate {
    address: SocketAddr,
    /// Bound without listening, which keeps the port.
    _holder: TcpSocket,
    opened: Option<Opened>,
}

struct Opened {
    passage: Arc<Passage>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Passage {
    shut: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// One that is shut.
    pub(crate) fn new() -> Self {
        let holder = TcpSocket::new_v4().expect("a socket");
        // What listens on the port later sets it as well, so both can have the port.
        holder.set_reuseaddr(true).expect("an option of every socket");
        holder.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        Self { address: holder.local_addr().expect("an address"), _holder: holder, opened: None }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Leads to this port of the machine from now on. Connections to elsewhere are cut.
    pub(crate) fn lead_to(&mut self, port: u16) {
        self.shut();
        // A process that another test starts at this moment has the old listener until it is what it will be.
        let listener = eventually("the gate's own port", || TcpListener::bind(self.address).ok());
        let passage = Arc::new(Passage::default());
        let shared = Arc::clone(&passage);
        self.opened =
            Some(Opened { passage, accepting: thread::spawn(move || shared.accept(&listener, port)) });
    }

    /// Refuses connections from now on, and cuts those that there are.
    pub(crate) fn shut(&mut self) {
        let Some(Opened { passage, accepting }) = self.opened.take() else { return };
        passage.shut.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        accepting.join().expect("the gate's thread ends");
        passage.streams().drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Passage {
    fn accept(&self, listener: &TcpListener, port: u16) {
        for near in listener.incoming() {
            if self.shut.load(Ordering::Relaxed) {
                return;
            }
            // What fails here is one connection, which its opener finds cut.
            let _ = near.and_then(|near| self.join(&near, &TcpStream::connect((Ipv4Addr::LOCALHOST, port))?));
        }
    }

    fn join(&self, near: &TcpStream, far: &TcpStream) -> io::Result<()> {
        for (from, to) in [(near, far), (far, near)] {
            from.set_nodelay(true)?;
            self.streams().push(from.try_clone()?);
            let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        Ok(())
    }

    fn streams(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
