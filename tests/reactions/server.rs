//! An app's own HTTP server: notes what it is asked, and answers as it is told to.

use super::support::{eventually, free_address};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Answers nothing, and keeps the connection for as long as the client does.
pub(crate) const SILENCE: u16 = 0;

/// A server that runs until the test lets go of it.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    status: AtomicU16,
    over: AtomicBool,
    /// The head of each request, as it was sent.
    heads: Mutex<Vec<String>>,
    /// Connections that get no answer.
    silent: Mutex<Vec<TcpStream>>,
}

impl Server {
    /// At an address of its own.
    pub(crate) fn start(status: u16) -> Self {
        Self::start_at(free_address(), status)
    }

    pub(crate) fn start_at(address: SocketAddr, status: u16) -> Self {
        let listener = TcpListener::bind(address).expect("an address that nobody else uses");
        let shared = Arc::new(Shared {
            status: AtomicU16::new(status),
            over: AtomicBool::new(false),
            heads: Mutex::default(),
            silent: Mutex::default(),
        });
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.serve(&listener)
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// `http://ADDRESS` and the path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How to answer from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::Release);
    }

    /// The requests so far: their first lines without the protocol.
    pub(crate) fn requests(&self) -> Vec<String> {
        let heads = self.heads();
        heads.iter().map(|head| head.split(" HTTP/").next().unwrap_or_default().to_owned()).collect()
    }

    /// The requests so far, with their headers.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().unwrap().clone()
    }

    /// Waits until there have been at least this many requests, and returns them.
    pub(crate) fn wait_for_requests(&self, count: usize) -> Vec<String> {
        eventually(&format!("{count} requests"), || {
            Some(self.requests()).filter(|requests| requests.len() >= count)
        })
    }
}

impl Shared {
    fn serve(&self, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.over.load(Ordering::Acquire) {
                return;
            }
            if let Ok(stream) = stream {
                self.answer(stream);
            }
        }
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        let mut buffer = [0; 1024];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                // A mere connection, as a check makes it, is no request.
                Ok(0) | Err(_) => return,
                Ok(read) => head.extend_from_slice(&buffer[..read]),
            }
        }
        self.heads.lock().unwrap().push(String::from_utf8(head).expect("a request is ASCII"));
        let status = self.status.load(Ordering::Acquire);
        if status == SILENCE {
            self.silent.lock().unwrap().push(stream);
        } else {
            let _ = write!(stream, "HTTP/1.1 {status} Whatever\r\ncontent-length: 2\r\n\r\nok");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        // It waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
