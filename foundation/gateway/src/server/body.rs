//! A request body that must keep coming: slower than a minimum rate ends it.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

/// How slow a body may be: `grace`, and a second more for each `bytes_per_second` that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) grace: Duration,
    pub(crate) bytes_per_second: u32,
}

/// A body with a pace. The clock starts when somebody first waits for it.
pub(crate) struct Paced {
    /// There until this is dropped.
    body: Option<Incoming>,
    pace: Pace,
    late: Option<Pin<Box<Sleep>>>,
    fate: Arc<Fate>,
}

/// What became of a body.
#[derive(Default)]
pub(crate) struct Fate {
    was_late: AtomicBool,
    unread: Mutex<Option<Incoming>>,
}

impl Fate {
    /// Whether it was given up because it came too slowly.
    pub(crate) fn was_late(&self) -> bool {
        self.was_late.load(Ordering::Acquire)
    }

    /// What nobody wanted to read, when there is more of it.
    pub(crate) fn unread(&self) -> Option<Incoming> {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.take().filter(|body| !body.is_end_stream())
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        *self.fate.unread.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
    }
}

/// The client sends its body too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body comes too slowly")]
pub(crate) struct TooSlow;

impl Paced {
    pub(crate) fn new(body: Incoming, pace: Pace) -> (Self, Arc<Fate>) {
        let fate = Arc::default();
        (Self { body: Some(body), pace, late: None, fate: Arc::clone(&fate) }, fate)
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            let length = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                _ => 0,
            };
            if let Some(late) = &mut this.late {
                let more = Duration::from_secs_f64(length as f64 / f64::from(this.pace.bytes_per_second));
                let until = late.deadline() + more;
                late.as_mut().reset(until);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let grace = this.pace.grace;
        let late = this.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(grace)));
        match late.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                this.fate.was_late.store(true, Ordering::Release);
                Poll::Ready(Some(Err(Box::new(TooSlow))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Reads on what nobody wants, so that the connection can go on or end in good order; only so much, and not for long.
pub(crate) async fn drain(mut body: Incoming, most: u64, within: Duration) {
    let mut left = most;
    let all = async {
        while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    // What does not come in time ends with its connection.
    let _ = tokio::time::timeout(within, all).await;
}
