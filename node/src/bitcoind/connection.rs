//! One HTTP/1.1 connection through the seam, and a bounded answer over it.

use std::convert::Infallible;
use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::answer::shown;
use super::error::RpcError;
use super::login::{Authorization, authorization};
use crate::config::Bitcoind;
use crate::reach::reach;
use crate::runtime::Runtime;

/// How long a connection may take: bitcoind is near.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that logs in. The task that carries its bytes ends with it.
pub(super) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    host: String,
    authorization: Authorization,
    /// Dropped with the connection, which ends the task also while it waits for the other end.
    _end: oneshot::Sender<Infallible>,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    /// Whether the status is one of success.
    pub(super) succeeded: bool,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back. The connection is of no more use.
#[derive(Debug)]
pub(super) enum Broken {
    /// It is gone.
    Lost(String),
    /// The answer is beyond its bound.
    TooLarge,
    /// The other end speaks something else.
    NoHttp(String),
}

impl Connection {
    /// Reads the login, then connects at the first address that takes it.
    pub(super) async fn open(runtime: &dyn Runtime, bitcoind: &Bitcoind) -> Result<Self, RpcError> {
        let address = &bitcoind.address;
        let unreachable = |reason| RpcError::Unreachable { address: address.clone(), reason };
        let authorization = authorization(&bitcoind.login)?;
        let stream = match timeout(CONNECT, reach(runtime, address)).await {
            Ok(connected) => connected.map_err(unreachable)?,
            Err(_) => return Err(unreachable(format!("no connection within {} s", CONNECT.as_secs()))),
        };
        let (requests, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(reason(&error)))?;
        let (end, ended) = oneshot::channel();
        let carry = async move {
            tokio::select! {
                // Whoever asked over it is told.
                _ = connection => {}
                _ = ended => {}
            }
        };
        runtime.spawn("bitcoind connection", Box::pin(carry));
        Ok(Self { requests, host: address.to_string(), authorization, _end: end })
    }

    /// Who asks, for errors.
    pub(super) fn login(&self) -> &str {
        &self.authorization.name
    }

    /// Sends a body and waits for the answer to it, of which at most `limit` bytes are taken.
    pub(super) async fn post(&mut self, body: Bytes, limit: usize) -> Result<Reply, Broken> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header(HOST, &self.host)
            .header(AUTHORIZATION, &self.authorization.header)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .expect("the host is a checked name or address");
        self.requests.ready().await.map_err(broken)?;
        let answer = self.requests.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = read(answer.into_body(), limit).await?;
        Ok(Reply { status: status.as_u16(), succeeded: status.is_success(), body })
    }
}

/// The body as it arrives: nothing is reserved because it was announced.
async fn read(mut body: Incoming, limit: usize) -> Result<Vec<u8>, Broken> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Broken::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if data.len() > limit - bytes.len() {
            return Err(Broken::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn broken(error: hyper::Error) -> Broken {
    if error.is_parse() { Broken::NoHttp(reason(&error)) } else { Broken::Lost(reason(&error)) }
}

/// An error of the library with what is behind it.
fn reason(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => shown(&format!("{error}: {source}")),
        None => shown(&error.to_string()),
    }
}
