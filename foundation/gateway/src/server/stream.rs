//! A connection's bytes: what was read ahead comes first, and a peer that takes nothing is cut off.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Plain or encrypted.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A transport with what was read ahead of time, and a limit on how long a write may wait.
pub(crate) struct Stream<T> {
    ahead: Vec<u8>,
    transport: T,
    write_timeout: Duration,
    /// Armed while a write waits.
    waits: Option<Pin<Box<Sleep>>>,
    /// What lives as long as the connection does, an upgraded one too: its places under the caps.
    held: Vec<Box<dyn Send>>,
}

impl<T: Transport> Stream<T> {
    pub(crate) fn new(transport: T, write_timeout: Duration) -> Self {
        Self { ahead: Vec::new(), transport, write_timeout, waits: None, held: Vec::new() }
    }

    /// Keeps it until the connection ends.
    pub(crate) fn hold(&mut self, held: impl Send + 'static) {
        self.held.push(Box::new(held));
    }

    /// Reads once more into what is ahead. `false` at the end.
    pub(crate) async fn read_ahead(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 256];
        let read = self.transport.read(&mut chunk).await?;
        self.ahead.extend_from_slice(&chunk[..read]);
        Ok(read > 0)
    }

    /// What has been read ahead and is not yet taken.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Takes that many bytes away.
    pub(crate) fn skip(&mut self, length: usize) {
        self.ahead.drain(..length);
    }

    /// Passes a write's outcome on, unless it has waited too long.
    fn limited<R>(&mut self, outcome: Poll<io::Result<R>>, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.waits = None;
            return outcome;
        }
        let until = Instant::now() + self.write_timeout;
        let waits = self.waits.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        match waits.as_mut().poll(context) {
            Poll::Ready(()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: Transport> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.transport).poll_read(context, buffer);
        }
        let length = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead[..length]);
        self.skip(length);
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncWrite for Stream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write(context, bytes);
        self.limited(outcome, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.transport).poll_flush(context);
        self.limited(outcome, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.transport).poll_shutdown(context);
        self.limited(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write_vectored(context, slices);
        self.limited(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }
}
