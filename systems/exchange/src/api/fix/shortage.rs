//! A full disk, as the readers of a unit see it: orders are turned away with a BusinessMessageReject until space is back.
//!
//! An order that met the full disk is offered again as what it becomes then, a message that was refused: that may use the
//! reserve. Once the reserve is used up too, connections are closed at the first message that cannot be logged.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use decalog_fix::session::{Body, BusinessReason, BusinessReject, Inbound};

use crate::command::Request;

/// How long orders are turned away after one met a full disk; then one is let through to see.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Whether the disk was full a moment ago.
#[derive(Default)]
pub(crate) struct Shortage {
    until: Mutex<Option<Instant>>,
}

impl Shortage {
    /// A command met a full disk.
    pub(crate) fn notice(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + TRY_AGAIN);
    }

    /// Whether orders are turned away now.
    pub(crate) fn is_on(&self) -> bool {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        match *until {
            None => false,
            Some(moment) if Instant::now() < moment => true,
            Some(_) => {
                *until = None;
                false
            }
        }
    }
}

/// Makes of a request the news that there is no space for it; `false` for what is no request.
pub(crate) fn turn_away(inbound: &mut Inbound<Request>) -> bool {
    let (Some(ref_msg_type), Body::Application(request)) = (inbound.header.msg_type, &inbound.body) else {
        return false;
    };
    let id = match request {
        Request::NewOrder(order) => &order.cl_ord_id,
        Request::Cancel(cancel) => &cancel.cl_ord_id,
        Request::Replace(replace) => &replace.order.cl_ord_id,
        Request::Status(status) => &status.cl_ord_id,
        Request::SecurityList(list) => &list.request_id,
        Request::MarketData(request) => &request.request_id,
    };
    inbound.body = Body::Refused(BusinessReject {
        ref_msg_type,
        ref_id: Some(id.to_string()),
        reason: BusinessReason::ApplicationNotAvailable,
        text: "The exchange cannot store orders now, try again later".into(),
    });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_only_once_noticed() {
        let shortage = Shortage::default();
        assert!(!shortage.is_on());
        shortage.notice();
        assert!(shortage.is_on());
    }
}
