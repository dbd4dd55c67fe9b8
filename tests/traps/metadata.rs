//! A metadata service that says what a test wants said.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

/// One that listens as long as the test's process lives.
pub(crate) struct Metadata {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Metadata {
    /// `answer` gives the body for each request, which are counted from zero; nothing: it is never answered.
    pub(crate) fn start(answer: impl Fn(usize) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("accept");
                read_head(&stream).expect("a request");
                match answer(count.fetch_add(1, Ordering::Relaxed)) {
                    Some(body) => send(&mut stream, &body).expect("somebody waits for the answer"),
                    None => unanswered.push(stream),
                }
            }
        });
        Self { url, asked }
    }

    /// What `AZURE_POD_IDENTITY_AUTHORITY_HOST` is set to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How often it has been asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// An answer with a token for so long, as IMDS words it.
pub(crate) fn token(value: &str, life: Duration) -> String {
    let end = (SystemTime::now() + life).duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    serde_json::json!({
        "access_token": value,
        "expires_on": end.as_secs().to_string(),
        "resource": "https://vault.azure.net",
        "token_type": "Bearer",
    })
    .to_string()
}

fn read_head(stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut line = String::from("first");
    while !line.trim_end().is_empty() {
        line.clear();
        lines.read_line(&mut line)?;
    }
    Ok(())
}

fn send(stream: &mut TcpStream, body: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
