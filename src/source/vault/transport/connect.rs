//! Connections: looking up a name, TCP, TLS, HTTP/1.1, and using a connection again while a round lasts.

use super::{Phase, Problem, Target};
use crate::lookup;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::OnceCell,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

/// Bounds look-up, TCP and TLS handshake together. Three round trips; where a firewall drops packets in
/// silence, this is how long it takes to say so.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The same for an address of the machine itself or of its host, such as the metadata service. A connection
/// takes less than a millisecond there, or there is nobody.
const NEAR_CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The sending half of an open connection.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// A host with its addresses and idle connections.
#[derive(Debug)]
pub(super) struct Peer {
    target: Target,
    /// Its name in TLS, if that is not the host of the target.
    server_name: Option<String>,
    connect_limit: Duration,
    /// Looked up once, however many connections are opened at the same time.
    addresses: OnceCell<Vec<SocketAddr>>,
    idle: Mutex<Vec<Sender>>,
}

impl Peer {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            server_name: None,
            connect_limit: CONNECT_LIMIT,
            addresses: OnceCell::new(),
            idle: Mutex::default(),
        }
    }

    /// With another name in TLS than the host of the target.
    pub(super) fn called(self, server_name: Option<String>) -> Self {
        Self { server_name, ..self }
    }

    /// So near that a connection either stands at once or never will.
    pub(super) fn near(self) -> Self {
        Self { connect_limit: NEAR_CONNECT_LIMIT, ..self }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends over an idle connection or a new one; returns the head of the answer and the connection.
    pub(super) async fn send(
        &self,
        tls: &TlsConnector,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Sender), Problem> {
        while let Some(mut sender) = self.take() {
            if sender.ready().await.is_err() {
                continue;
            }
            // The far end may close an idle connection at the moment of its reuse. All that is sent here can
            // be sent twice, so no answer means: once more, on the next connection.
            if let Ok(answer) = sender.send_request(request.clone()).await {
                return Ok((answer, sender));
            }
        }
        let mut sender = self.connect(tls).await?;
        match sender.send_request(request).await {
            Ok(answer) => Ok((answer, sender)),
            Err(error) => Err(Problem::Broken(format!("the connection was cut before the answer ({error})"))),
        }
    }

    /// Keeps a connection whose answer has been read in full.
    pub(super) fn give_back(&self, sender: Sender) {
        if !sender.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
    }

    fn take(&self) -> Option<Sender> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn connect(&self, tls: &TlsConnector) -> Result<Sender, Problem> {
        let deadline = Instant::now() + self.connect_limit;
        let addresses = timeout_at(deadline, self.addresses.get_or_try_init(|| resolve(&self.target)))
            .await
            .map_err(|_| Problem::TimedOut(Phase::Resolve))??;
        let stream = open(addresses, deadline).await?;
        if !self.target.tls {
            return handshake(stream).await;
        }
        let name = self.server_name.as_ref().unwrap_or(&self.target.host);
        let name = ServerName::try_from(name.clone()).map_err(|error| Problem::Resolve(error.to_string()))?;
        match timeout_at(deadline, tls.connect(name, stream)).await {
            Ok(Ok(stream)) => handshake(stream).await,
            Ok(Err(error)) => Err(tls_problem(error)),
            Err(_) => Err(Problem::TimedOut(Phase::Handshake)),
        }
    }
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Problem> {
    // RFC 6761, 6.3: every name under `localhost` means this machine. Not every C library knows that.
    if target.host.ends_with(".localhost") {
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(addresses.map(|address| SocketAddr::new(address, target.port)).into());
    }
    let found = lookup::addresses(&target.host, target.port);
    let addresses = found.await.map_err(|error| Problem::Resolve(error.to_string()))?;
    if addresses.is_empty() { Err(Problem::Resolve("no address".into())) } else { Ok(addresses) }
}

/// Tries one address after the other; each gets an equal share of the time that is left.
async fn open(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Problem> {
    let mut problem = Problem::TimedOut(Phase::Connect);
    for (done, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - done).unwrap_or(u32::MAX);
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / left;
        match timeout_at(now + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests are one small write each: waiting to fill a packet only adds a round trip.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => problem = Problem::Connect(error),
            Err(_) => problem = Problem::TimedOut(Phase::Connect),
        }
    }
    Err(problem)
}

async fn handshake<S>(stream: S) -> Result<Sender, Problem>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Problem::Broken(error.to_string()))?;
    // Ends when the sender is dropped, or with an error that the sender reports as well.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// The reason of a failed handshake is inside the I/O error, if it is not an I/O error.
fn tls_problem(error: io::Error) -> Problem {
    match error.downcast::<rustls::Error>() {
        Ok(error) => Problem::Tls(error),
        Err(error) => Problem::Broken(format!("the connection was cut in the TLS handshake ({error})")),
    }
}
