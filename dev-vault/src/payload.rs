//! A response body that can be slow, or end too early.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// Before the connection is cut, so that what precedes the cut leaves the send buffer.
const FLUSH: Duration = Duration::from_millis(5);

/// Pieces of a body with a pause before each one but the first; perhaps a cut connection in place of the rest.
pub(crate) struct Payload {
    pieces: VecDeque<Bytes>,
    announced: u64,
    pause: Duration,
    cut: bool,
    waiting: Option<Pin<Box<Sleep>>>,
    started: bool,
}

impl Payload {
    pub(crate) fn whole(body: Bytes) -> Self {
        Self::pieces(body, 1, Duration::ZERO)
    }

    pub(crate) fn pieces(body: Bytes, count: usize, pause: Duration) -> Self {
        let announced = body.len() as u64;
        let size = body.len().div_ceil(count.max(1)).max(1);
        let mut pieces = VecDeque::new();
        let mut rest = body;
        while !rest.is_empty() {
            pieces.push_back(rest.split_to(size.min(rest.len())));
        }
        Self { pieces, announced, pause, cut: false, waiting: None, started: false }
    }

    /// Announces the whole body, sends half of it and then cuts the connection.
    pub(crate) fn cut(body: &Bytes) -> Self {
        let announced = body.len() as u64;
        let half = Self::whole(body.slice(..body.len() / 2));
        Self { announced, cut: true, pause: FLUSH, ..half }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.pieces.is_empty() && !self.cut {
            return Poll::Ready(None);
        }
        if self.started && !self.pause.is_zero() {
            let pause = self.pause;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(pause)));
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        self.started = true;
        Poll::Ready(Some(match self.pieces.pop_front() {
            Some(piece) => Ok(Frame::data(piece)),
            None => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        if self.started { SizeHint::default() } else { SizeHint::with_exact(self.announced) }
    }
}
