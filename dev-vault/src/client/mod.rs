//! A small blocking HTTP client: enough to use a dev vault from tests and from the command line.

mod vault;

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

pub use self::vault::VaultClient;
use crate::tls;

/// Long enough for every delay that a test asks for, short enough to end one that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Sends requests, each on a connection of its own.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    runtime: Runtime,
}

struct Connector(TlsConnector);

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connector")
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's value, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Client {
    /// A client that trusts the authorities in this PEM text and no others.
    pub fn trusting(ca_pem: &str) -> io::Result<Self> {
        let config = tls::client(ca_pem)?;
        Ok(Self {
            connector: Connector(TlsConnector::from(Arc::new(config))),
            runtime: runtime::Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// Sends one request to an `https` or `http` address and reads the whole answer.
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> io::Result<Reply> {
        let url = Url::parse(url).map_err(invalid)?;
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(HOST, &url[url::Position::BeforeHost..url::Position::AfterPort]);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).map_err(invalid)?;
        self.runtime.block_on(async {
            timeout(TIMEOUT, self.connect_and_exchange(&url, request))
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        })
    }

    async fn connect_and_exchange(
        &self,
        url: &Url,
        request: hyper::Request<Full<Bytes>>,
    ) -> io::Result<Reply> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(invalid(format!("{url} names no host")));
        };
        let stream = connect(&host, port).await?;
        stream.set_nodelay(true)?;
        match url.scheme() {
            "https" => {
                let name = match host {
                    Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(invalid)?,
                    Host::Ipv4(address) => ServerName::IpAddress(IpAddr::V4(address).into()),
                    Host::Ipv6(address) => ServerName::IpAddress(IpAddr::V6(address).into()),
                };
                exchange(self.connector.0.connect(name, stream).await?, request).await
            }
            "http" => exchange(stream, request).await,
            scheme => Err(invalid(format!("{scheme} is not a scheme of HTTP"))),
        }
    }
}

/// Names under `localhost` mean this machine, whatever its resolver makes of them.
async fn connect(host: &Host<&str>, port: u16) -> io::Result<TcpStream> {
    match *host {
        Host::Ipv4(address) => TcpStream::connect((address, port)).await,
        Host::Ipv6(address) => TcpStream::connect((address, port)).await,
        Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
        }
        Host::Domain(name) => TcpStream::connect((name, port)).await,
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: hyper::Request<Full<Bytes>>,
) -> io::Result<Reply> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
}

fn invalid(error: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
