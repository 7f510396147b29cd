//! W3C Trace Context: which larger request a request belongs to, and what to hand on to whoever is asked for it.
//!
//! <https://www.w3.org/TR/trace-context/>, version 00. Ids are random, not secret.

use std::fmt;
use std::str::FromStr;

use axum::http::{HeaderName, HeaderValue};

/// Carries the context of a request.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A place in a trace. A request's own is [`behalf::trace`](crate::behalf::trace).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// A place with these ids, which are not zero.
    pub fn new(trace: u128, span: u64, sampled: bool) -> Self {
        Self { trace, span, sampled }
    }

    /// The ids of trace and span, and whether the trace is recorded.
    pub fn ids(self) -> (u128, u64, bool) {
        (self.trace, self.span, self.sampled)
    }

    /// A new trace.
    pub fn root() -> Self {
        Self { trace: fastrand::u128(..) | 1, span: fastrand::u64(..) | 1, sampled: false }
    }

    /// A new span below this one.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span: fastrand::u64(..) | 1, ..self }
    }

    /// The trace's id, as it is written.
    pub fn trace(self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The value of `traceparent` for a request made on behalf of this one.
    pub fn header(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("hexadecimal digits")
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// A `traceparent` that cannot be read; the request then begins a trace of its own (section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoContext;

impl FromStr for TraceContext {
    type Err = NoContext;

    fn from_str(text: &str) -> Result<Self, NoContext> {
        let field = |from: usize, to: usize| {
            let digits = text.get(from..to).ok_or(NoContext)?;
            let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if !digits.bytes().all(lower) {
                return Err(NoContext);
            }
            u128::from_str_radix(digits, 16).map_err(|_| NoContext)
        };
        let dashes = [2, 35, 52].into_iter().all(|place| text.as_bytes().get(place) == Some(&b'-'));
        let version = field(0, 2)?;
        // A later version may say more, after another dash.
        let ends = text.len() == 55 || version > 0 && text.as_bytes().get(55) == Some(&b'-');
        let (trace, span, flags) = (field(3, 35)?, field(36, 52)?, field(53, 55)?);
        let span = u64::try_from(span).map_err(|_| NoContext)?;
        if !dashes || !ends || version == 0xff || trace == 0 || span == 0 {
            return Err(NoContext);
        }
        Ok(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_read_and_written_as_the_recommendation_shows() {
        let context: TraceContext = GIVEN.parse().unwrap();
        assert_eq!(context.to_string(), GIVEN);
        let child = context.child();
        assert_eq!(child.trace(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(child.to_string().ends_with("-01") && child != context);
        assert!(format!("01{}-more", &GIVEN[2..]).parse::<TraceContext>().is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_no_context() {
        for text in [
            "",
            "00-",
            &GIVEN[..54],
            &format!("{GIVEN}-more"),
            &format!("ff{}", &GIVEN[2..]),
            &GIVEN.to_uppercase(),
            &GIVEN.replace('-', "_"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473+-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(NoContext), "{text}");
        }
    }
}
