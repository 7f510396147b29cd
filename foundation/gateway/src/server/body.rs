//! A request body that must keep coming: slower than a minimum rate ends it.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    body: Incoming,
    pace: Pace,
    late: Option<Pin<Box<Sleep>>>,
    was_late: Arc<AtomicBool>,
}

/// The client sends its body too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body comes too slowly")]
pub(crate) struct TooSlow;

impl Paced {
    /// The flag is raised when the body is given up.
    pub(crate) fn new(body: Incoming, pace: Pace) -> (Self, Arc<AtomicBool>) {
        let was_late = Arc::default();
        (Self { body, pace, late: None, was_late: Arc::clone(&was_late) }, was_late)
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
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
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
                this.was_late.store(true, Ordering::Release);
                Poll::Ready(Some(Err(Box::new(TooSlow))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
