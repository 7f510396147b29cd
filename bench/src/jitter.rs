//! The jitter baseline: how quiet the machine is while nothing of the product runs. Latencies and ratios of a run
//! cannot be better than this; a run on a busy machine is told from a quiet one by these three lines.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::log::bare;
use crate::sample::{Latencies, Summary, Until};

/// What the machine does by itself.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Jitter {
    /// Gaps of at least a microsecond between two looks at the clock, in a loop that does nothing else.
    gaps: Summary,
    /// The share of that loop's time that went into such gaps.
    stolen_share: f64,
    /// 64 bytes appended to a preallocated file, with `fdatasync`.
    fdatasync: Summary,
    /// One byte over loopback TCP and back, both ends blocking.
    loopback: Summary,
}

impl Jitter {
    /// Measures for about three times `span`.
    pub(crate) fn measure(span: Duration, data: &Path) -> anyhow::Result<Self> {
        let (gaps, stolen_share) = clock_gaps(span);
        let file = bare::preallocated(&data.join("jitter"))?;
        let fdatasync = bare::append_loop(&file, 64, Until::after(span))?.summary();
        Ok(Self { gaps, stolen_share, fdatasync, loopback: loopback(span)?.summary() })
    }
}

impl std::fmt::Display for Jitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lost = self.stolen_share * 100.0;
        let largest = self.gaps.max_us;
        writeln!(f, "jitter   busy loop: {lost:.1} % of its time lost in gaps, largest {largest:.0} µs")?;
        writeln!(f, "         append + fdatasync: {}", self.fdatasync)?;
        write!(f, "         loopback TCP round trip: {}", self.loopback)
    }
}

fn clock_gaps(span: Duration) -> (Summary, f64) {
    let mut gaps = Latencies::with_capacity(1 << 16);
    let mut lost = Duration::ZERO;
    let start = Instant::now();
    let mut last = start;
    while last - start < span {
        let now = Instant::now();
        if now - last >= Duration::from_micros(1) {
            lost += now - last;
            gaps.record(now - last);
        }
        last = now;
    }
    (gaps.summary(), lost.as_secs_f64() / (last - start).as_secs_f64())
}

fn loopback(span: Duration) -> anyhow::Result<Latencies> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = std::thread::spawn(move || -> std::io::Result<()> {
        let mut byte = [0];
        while far.read(&mut byte)? == 1 {
            far.write_all(&byte)?;
        }
        Ok(())
    });
    let mut latencies = Latencies::with_capacity(1 << 16);
    let until = Until::after(span);
    let mut byte = [1];
    while !until.over() {
        let start = Instant::now();
        near.write_all(&byte)?;
        near.read_exact(&mut byte)?;
        latencies.record(start.elapsed());
    }
    drop(near);
    echo.join().expect("the echo thread does not panic")?;
    Ok(latencies)
}
