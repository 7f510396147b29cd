//! What must hold of every execution report, whatever led to it: FIX 4.4's order state rules (volume 4, "Order State
//! Change Matrices"), checked on every event that any test of this crate sees.

use std::collections::{BTreeMap, BTreeSet};

use decalog_exchange::event::{Event, ExecId, ExecutionReport, Message, Outbound, Trade};
use decalog_exchange::value::{ClOrdId, Decimal, ExecType, OrdStatus, SessionId, Side};
use decalog_fix::session::SessionMessage;

/// Follows the reports of a unit and stops at the first that contradicts another.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderStates {
    orders: BTreeMap<u64, Known>,
    exec_ids: BTreeSet<ExecId>,
    next_seq: BTreeMap<SessionId, u64>,
    feeds: BTreeMap<String, u64>,
    /// A trade whose two reports are awaited.
    awaited: Vec<(u64, Decimal, Decimal)>,
}

/// What the reports have said of an order.
#[derive(Clone, Debug)]
struct Known {
    session: SessionId,
    cl_ord_id: ClOrdId,
    status: OrdStatus,
    order_qty: i64,
    cum_qty: i64,
    paid: i128,
}

impl OrderStates {
    /// Looks at the next event.
    pub(crate) fn see(&mut self, event: &Event) {
        match event {
            Event::Trade(trade) => self.trade(trade),
            Event::BookLevel(level) => {
                self.feed(&level.symbol.to_text(), level.sequence);
                assert_eq!(level.quantity.mantissa == 0, level.orders == 0, "{level:?}");
                assert!(level.quantity.mantissa >= 0, "{level:?}");
            }
            Event::Fix(outbound) => self.outbound(outbound),
            Event::Listed(_) | Event::FixReplay { .. } | Event::FixClose { .. } => {}
        }
    }

    /// All that was said belongs together.
    pub(crate) fn end_of_record(&self) {
        assert!(self.awaited.is_empty(), "trades without reports: {:?}", self.awaited);
    }

    fn feed(&mut self, symbol: &str, sequence: u64) {
        let last = self.feeds.entry(symbol.to_owned()).or_default();
        assert_eq!(sequence, *last + 1, "feed of {symbol}");
        *last = sequence;
    }

    fn trade(&mut self, trade: &Trade) {
        self.feed(&trade.symbol.to_text(), trade.sequence);
        assert!(trade.quantity.mantissa > 0, "a trade of nothing: {trade:?}");
        for order in [trade.taker_order, trade.maker_order] {
            self.awaited.push((order, trade.price, trade.quantity));
        }
    }

    fn outbound(&mut self, outbound: &Outbound) {
        let is_reset =
            matches!(outbound.message, Message::Session(SessionMessage::Logon { .. })) && outbound.seq == 1;
        let next = self.next_seq.entry(outbound.session).or_insert(1);
        if is_reset {
            *next = 1;
        }
        assert_eq!(outbound.seq, *next, "MsgSeqNum of session {:?}", outbound.session);
        *next += 1;
        if let Message::Execution(report) = &outbound.message {
            assert!(self.exec_ids.insert(report.exec_id), "ExecID {} came twice", report.exec_id);
            self.report(outbound.session, report);
        }
    }

    fn report(&mut self, session: SessionId, report: &ExecutionReport) {
        let (status, kind) = (report.ord_status, report.exec_type);
        assert_eq!(report.reject_reason.is_some(), is_refusal(report), "{report:?}");
        assert_eq!(report.last.is_some(), kind == ExecType::Trade, "{report:?}");
        if report.order_id == 0 {
            assert!(matches!(kind, ExecType::Rejected | ExecType::OrderStatus), "{report:?}");
            assert_eq!(status, OrdStatus::Rejected, "{report:?}");
            assert_eq!((report.cum_qty.mantissa, report.leaves_qty.mantissa), (0, 0), "{report:?}");
            return;
        }
        check_quantities(report);
        let Some(mut known) = self.orders.remove(&report.order_id) else {
            assert_eq!(
                (kind, status),
                (ExecType::New, OrdStatus::New),
                "the first report is New: {report:?}"
            );
            assert_eq!(report.cum_qty.mantissa, 0, "{report:?}");
            let order_qty = report.order_qty.expect("a live order has a quantity").mantissa;
            let known =
                Known { session, cl_ord_id: report.cl_ord_id, status, order_qty, cum_qty: 0, paid: 0 };
            self.orders.insert(report.order_id, known);
            return;
        };
        assert_eq!(known.session, session, "a report to the wrong session: {report:?}");
        assert!(kind != ExecType::New, "New twice: {report:?}");
        self.follow(&mut known, report);
        self.orders.insert(report.order_id, known);
    }

    /// The step from what was known to what a report says.
    fn follow(&mut self, known: &mut Known, report: &ExecutionReport) {
        let order_qty = report.order_qty.expect("a known order has a quantity").mantissa;
        let unchanged = matches!(report.exec_type, ExecType::OrderStatus | ExecType::Rejected);
        if unchanged {
            assert_eq!(report.ord_status, known.status, "a status report changes nothing: {report:?}");
            assert_eq!((order_qty, report.cum_qty.mantissa), (known.order_qty, known.cum_qty), "{report:?}");
        } else {
            assert!(known.status.is_live(), "{:?} is final: {report:?}", known.status);
            assert!(is_legal(report.exec_type, report.ord_status), "{report:?}");
        }
        match report.exec_type {
            ExecType::Trade => {
                let fill = report.last.expect("a trade has a fill");
                let awaited = (report.order_id, fill.price, fill.quantity);
                let place = self.awaited.iter().position(|it| *it == awaited);
                self.awaited.remove(place.unwrap_or_else(|| panic!("no such trade: {report:?}")));
                known.cum_qty += fill.quantity.mantissa;
                known.paid += i128::from(fill.price.mantissa) * i128::from(fill.quantity.mantissa);
                check_limit(report, fill.price);
            }
            ExecType::Replaced => {
                assert_eq!(report.orig_cl_ord_id, known.cl_ord_id, "the chain of ClOrdIDs: {report:?}");
                known.order_qty = order_qty;
            }
            ExecType::Canceled if !report.orig_cl_ord_id.is_empty() => {
                assert_eq!(report.orig_cl_ord_id, known.cl_ord_id, "the chain of ClOrdIDs: {report:?}");
            }
            _ => assert_eq!(report.cl_ord_id, known.cl_ord_id, "{report:?}"),
        }
        assert_eq!(order_qty, known.order_qty, "{report:?}");
        assert_eq!(report.cum_qty.mantissa, known.cum_qty, "CumQty is the sum of LastQty: {report:?}");
        check_average(report, known);
        known.status = report.ord_status;
        known.cl_ord_id = report.cl_ord_id;
    }
}

/// Whether a report says that something was refused, and so why.
fn is_refusal(report: &ExecutionReport) -> bool {
    report.exec_type == ExecType::Rejected
        || (report.order_id == 0 && report.exec_type == ExecType::OrderStatus)
}

/// Which OrdStatus an ExecType may come with.
fn is_legal(exec_type: ExecType, status: OrdStatus) -> bool {
    use OrdStatus::{Canceled, Expired, Filled, New, PartiallyFilled};
    match exec_type {
        ExecType::Trade => matches!(status, PartiallyFilled | Filled),
        ExecType::Canceled => status == Canceled,
        ExecType::Expired => status == Expired,
        ExecType::Replaced => matches!(status, New | PartiallyFilled | Filled),
        ExecType::New | ExecType::Rejected | ExecType::OrderStatus => false,
    }
}

fn check_quantities(report: &ExecutionReport) {
    let order_qty = report.order_qty.expect("a known order has a quantity").mantissa;
    let (leaves, cum) = (report.leaves_qty.mantissa, report.cum_qty.mantissa);
    assert!(leaves >= 0 && cum >= 0 && cum <= order_qty, "{report:?}");
    if report.ord_status.is_live() {
        assert_eq!(leaves + cum, order_qty, "{report:?}");
        assert!(leaves > 0, "a live order has something open: {report:?}");
        assert_eq!(report.ord_status == OrdStatus::New, cum == 0, "{report:?}");
    } else {
        assert_eq!(leaves, 0, "{report:?}");
        assert_eq!(report.ord_status == OrdStatus::Filled, cum == order_qty, "{report:?}");
    }
}

fn check_limit(report: &ExecutionReport, paid: Decimal) {
    let Some(limit) = report.price else { return };
    assert_eq!(limit.scale, paid.scale, "{report:?}");
    match report.side {
        Side::Buy => assert!(paid.mantissa <= limit.mantissa, "bought above the limit: {report:?}"),
        Side::Sell => assert!(paid.mantissa >= limit.mantissa, "sold below the limit: {report:?}"),
        Side::Other(_) => panic!("an order without a side: {report:?}"),
    }
}

/// AvgPx is notional over CumQty, to half a unit of its last digit.
fn check_average(report: &ExecutionReport, known: &Known) {
    let cum = i128::from(known.cum_qty);
    if cum == 0 {
        return assert_eq!(report.avg_px.mantissa, 0, "{report:?}");
    }
    let price_scale = report.price.or(report.last.map(|fill| fill.price)).map(|price| price.scale);
    let Some(price_scale) = price_scale else { return };
    let finer = 10_i128.pow(u32::from(report.avg_px.scale - price_scale));
    let error = (i128::from(report.avg_px.mantissa) * cum - known.paid * finer).abs();
    assert!(error * 2 <= cum, "AvgPx {} is not {} / {cum}: {report:?}", report.avg_px, known.paid);
}

/// A report that says something else than what was is noticed: the rules are not there for show.
#[test]
fn every_rule_notices_its_breach() {
    use crate::desk::{ALICE, BOB, Desk, buy, sell};

    let mut desk = Desk::logged_on();
    let mut good = desk.place(ALICE, sell("s1", "100", "100.00"));
    good.extend(desk.place(BOB, buy("b1", "30", "100.05")));
    good.extend(desk.replace(ALICE, "s1", sell("s2", "90", "100.00")));
    let before_cancel = good.len();
    good.extend(desk.cancel(ALICE, "c1", "s2", Side::Sell));
    let notices = |events: &[Event]| {
        let first_seqs = BTreeMap::from([(ALICE, 2), (BOB, 2)]);
        let mut states = OrderStates { next_seq: first_seqs, ..OrderStates::default() };
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            events.iter().for_each(|event| states.see(event));
            states.end_of_record();
        }));
        looked.is_err()
    };
    assert!(!notices(&good), "the good history is good");
    type Spoil = fn(&mut ExecutionReport);
    let spoils: [(&str, Spoil); 9] = [
        ("LeavesQty", |it| it.leaves_qty.mantissa += 10),
        ("CumQty", |it| it.cum_qty.mantissa += 10),
        ("AvgPx", |it| it.avg_px.mantissa += 1),
        ("OrderQty", |it| it.order_qty.as_mut().expect("a quantity").mantissa += 10),
        ("OrdStatus", |it| it.ord_status = OrdStatus::Expired),
        ("ExecType", |it| it.exec_type = ExecType::Expired),
        ("ExecID", |it| it.exec_id.number = 0),
        ("ClOrdID", |it| it.cl_ord_id = ClOrdId::cut("other")),
        ("OrigClOrdID", |it| it.orig_cl_ord_id = ClOrdId::cut("other")),
    ];
    for (what, spoil) in spoils {
        let mut bad = good.clone();
        for event in &mut bad {
            let Event::Fix(Outbound { message: Message::Execution(report), .. }) = event else { continue };
            spoil(report);
        }
        assert!(notices(&bad), "{what} goes unnoticed");
    }
    for place in 0..before_cancel {
        let mut bad = good.clone();
        bad.remove(place);
        assert!(notices(&bad), "event {place} is missing unnoticed: {:?}", good[place]);
    }
}
