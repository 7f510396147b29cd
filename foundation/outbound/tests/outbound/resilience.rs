//! The layers around a peer that does as it is told, in a time that stands still unless everybody waits.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, Response, header};
use decalog_gateway::behalf;
use decalog_outbound::resilience::{Peer, Position, Resilient};
use decalog_outbound::{Hedge, Kind, OutboundError, Policy, Watch};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt as _};

const MS: fn(u64) -> Duration = Duration::from_millis;

type Outcome = Result<Response<Bytes>, OutboundError>;

/// Time stands still: it goes on only when everybody waits for it, and then at once.
fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

/// What the peer does with an attempt.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Answers with this status, after this time.
    Answer(u16, Duration),
    /// 503 with `Retry-After: 3`.
    Later,
    Refuse,
    Break,
    Hang,
}

const WORK: Does = Does::Answer(200, Duration::ZERO);
const FAIL: Does = Does::Answer(500, Duration::ZERO);

/// A peer that does one after the other, and then the last for ever.
#[derive(Clone)]
struct Told {
    script: Arc<Mutex<VecDeque<Does>>>,
    /// When attempts came.
    came: Arc<Mutex<Vec<Instant>>>,
}

impl Told {
    fn new(script: &[Does]) -> Self {
        Self { script: Arc::new(Mutex::new(script.iter().copied().collect())), came: Arc::default() }
    }

    fn now_does(&self, script: &[Does]) {
        *self.script.lock().unwrap() = script.iter().copied().collect();
    }

    fn attempts(&self) -> usize {
        self.came.lock().unwrap().len()
    }
}

impl Service<Request<Bytes>> for Told {
    type Response = Response<Bytes>;
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        self.came.lock().unwrap().push(Instant::now());
        let mut script = self.script.lock().unwrap();
        let does = if script.len() > 1 { script.pop_front().unwrap() } else { script[0] };
        let peer = "told".to_owned();
        let answer = |status: u16| Response::builder().status(status);
        Box::pin(async move {
            match does {
                Does::Answer(status, after) => {
                    sleep(after).await;
                    Ok(answer(status).body(Bytes::new()).unwrap())
                }
                Does::Later => Ok(answer(503).header(header::RETRY_AFTER, "3").body(Bytes::new()).unwrap()),
                Does::Refuse => Err(OutboundError::Unreachable { peer, source: "told so".into() }),
                Does::Break => Err(OutboundError::Broken { peer, source: "told so".into() }),
                Does::Hang => std::future::pending().await,
            }
        })
    }
}

/// What the layers said.
#[derive(Default)]
struct Seen(Mutex<Vec<(Option<Position>, Option<Position>)>>, Mutex<Vec<(Kind, bool)>>);

impl Watch for Seen {
    fn called(&self, _: &'static str, _: &'static str, _: Duration) {}

    fn further(&self, _: &'static str, kind: Kind, allowed: bool) {
        self.1.lock().unwrap().push((kind, allowed));
    }

    fn circuit(&self, _: &'static str, from: Option<Position>, to: Option<Position>) {
        self.0.lock().unwrap().push((from, to));
    }
}

struct Stand {
    told: Told,
    service: Resilient,
    seen: Arc<Seen>,
}

impl Stand {
    fn new(policy: Policy, script: &[Does]) -> Self {
        let (told, seen) = (Told::new(script), Arc::new(Seen::default()));
        let peer = Peer::new("test", "told", Arc::new(policy), seen.clone());
        Self { service: peer.around(told.clone()), told, seen }
    }

    async fn ask(&self, method: Method) -> Outcome {
        let request = Request::builder().method(method).uri("http://told/").body(Bytes::new()).unwrap();
        self.service.clone().oneshot(request).await
    }

    async fn get(&self) -> Outcome {
        self.ask(Method::GET).await
    }
}

/// No layer does anything unless the test says so.
fn plain() -> Policy {
    Policy {
        retries: 0,
        hedge: Hedge::Off,
        breaker_failures: u32::MAX,
        retries_per_second: 1_000,
        ..Policy::default()
    }
}

fn status(outcome: &Outcome) -> u16 {
    outcome.as_ref().map_or(0, |answer| answer.status().as_u16())
}

#[test]
pub(crate) fn the_breaker_opens_probes_and_closes_again() {
    run(async {
        let stand = Stand::new(Policy { breaker_failures: 5, ..plain() }, &[Does::Break]);
        for _ in 0..5 {
            assert!(matches!(stand.get().await, Err(OutboundError::Broken { .. })));
        }
        let refused = stand.get().await;
        assert!(matches!(refused, Err(OutboundError::Paused { .. })), "it never opened: {refused:?}");
        assert_eq!(stand.told.attempts(), 5, "an open circuit lets nothing through");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(matches!(stand.get().await, Err(OutboundError::Broken { .. })), "a probe goes through");
        assert!(matches!(stand.get().await, Err(OutboundError::Paused { .. })), "and opens it again");
        tokio::time::advance(Duration::from_secs(60)).await;
        stand.told.now_does(&[Does::Answer(200, MS(10))]);
        let (probe, other) = tokio::join!(stand.get(), stand.get());
        assert_eq!(status(&probe), 200);
        assert!(matches!(other, Err(OutboundError::Paused { .. })), "one probe at a time: {other:?}");
        assert_eq!(status(&stand.get().await), 200);
        use Position::{Closed, HalfOpen, Open};
        let all: Vec<_> = stand.seen.0.lock().unwrap().iter().filter_map(|(_, to)| *to).collect();
        assert_eq!(all, [Closed, Open, HalfOpen, Open, HalfOpen, Closed]);
    });
}

#[test]
fn only_what_the_peer_did_wrong_opens_the_breaker() {
    run(async {
        let stand = Stand::new(Policy { breaker_failures: 2, ..plain() }, &[Does::Answer(404, MS(0))]);
        for status in [400, 404, 429] {
            stand.told.now_does(&[Does::Answer(status, MS(0))]);
            for _ in 0..3 {
                assert!(stand.get().await.is_ok());
            }
        }
        // Failures count in a row only.
        stand.told.now_does(&[FAIL, WORK, FAIL, WORK, FAIL, WORK]);
        for _ in 0..6 {
            assert!(stand.get().await.is_ok());
        }
        // A caller in a hurry says nothing of a peer that it gave no time; one that waited does.
        stand.told.now_does(&[Does::Hang]);
        let hurried = async |time| behalf::until(Instant::now() + time, stand.get()).await;
        for _ in 0..3 {
            assert!(matches!(hurried(MS(300)).await, Err(OutboundError::NoTime { .. })));
        }
        for _ in 0..2 {
            assert!(matches!(hurried(MS(1_500)).await, Err(OutboundError::TimedOut { .. })));
        }
        assert!(matches!(stand.get().await, Err(OutboundError::Paused { .. })));
    });
}

#[test]
fn a_peer_that_hangs_is_found_out_when_the_whole_call_has_no_more_time_than_an_attempt() {
    run(async {
        let policy = Policy { breaker_failures: 1, attempt_timeout: MS(300), ..plain() };
        let stand = Stand::new(policy, &[Does::Hang]);
        let hung = behalf::until(Instant::now() + MS(299), stand.get()).await;
        assert!(matches!(hung, Err(OutboundError::TimedOut { .. })), "{hung:?}");
        assert!(matches!(stand.get().await, Err(OutboundError::Paused { .. })));
    });
}

#[test]
fn a_probe_that_is_given_up_leaves_its_place_to_the_next() {
    run(async {
        let stand = Stand::new(Policy { breaker_failures: 1, ..plain() }, &[FAIL, Does::Hang, WORK]);
        assert_eq!(status(&stand.get().await), 500);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(tokio::time::timeout(MS(10), stand.get()).await.is_err());
        assert_eq!(status(&stand.get().await), 200);
    });
}

#[test]
fn what_may_be_made_twice_or_was_not_sent_is_tried_again() {
    run(async {
        let policy = Policy { retries: 3, ..plain() };
        for (does, method, attempts) in [
            (Does::Break, Method::GET, 4),
            (Does::Break, Method::PUT, 4),
            (Does::Break, Method::DELETE, 4),
            (Does::Break, Method::POST, 1),
            (Does::Refuse, Method::POST, 4),
            (FAIL, Method::GET, 4),
            (FAIL, Method::POST, 1),
            (Does::Hang, Method::GET, 4),
            (Does::Hang, Method::POST, 1),
            (Does::Answer(404, MS(0)), Method::GET, 1),
            (Does::Answer(501, MS(0)), Method::GET, 1),
            (WORK, Method::GET, 1),
        ] {
            let stand = Stand::new(policy.clone(), &[does]);
            let _ = stand.ask(method.clone()).await;
            assert_eq!(stand.told.attempts(), attempts, "{method} {does:?}");
        }
        let stand = Stand::new(policy, &[Does::Break, FAIL, WORK]);
        assert_eq!(status(&stand.get().await), 200);
    });
}

#[test]
fn waits_grow_are_random_from_zero_on_and_heed_the_peer() {
    run(async {
        let policy = Policy { retries: 4, backoff: MS(100), backoff_max: MS(400), ..plain() };
        let mut waits: [Vec<Duration>; 4] = Default::default();
        for _ in 0..300 {
            let stand = Stand::new(policy.clone(), &[FAIL]);
            let _ = stand.get().await;
            let came = stand.told.came.lock().unwrap().clone();
            for (nth, pair) in came.windows(2).enumerate() {
                waits[nth].push(pair[1] - pair[0]);
            }
        }
        for (waits, bound) in waits.iter_mut().zip([100, 200, 400, 400].map(MS)) {
            waits.sort();
            // The timer's own step is a millisecond.
            assert!(waits[299] <= bound + MS(1), "{:?} of {bound:?}", waits[299]);
            assert!(waits[30] < bound / 4 && waits[269] > bound * 3 / 4, "they are spread over {bound:?}");
        }
        let stand = Stand::new(policy, &[Does::Later, WORK]);
        let began = Instant::now();
        assert_eq!(status(&stand.get().await), 200);
        assert!(began.elapsed() >= Duration::from_secs(3), "the peer asked for three seconds");
    });
}

#[test]
pub(crate) fn retries_stay_within_their_budget() {
    run(async {
        // Twenty retries are free in ten seconds, and ten calls pay for one more.
        let policy = Policy { retries: 3, retries_per_second: 2, retry_percent: 10, ..plain() };
        let stand = Stand::new(Policy { backoff: Duration::ZERO, ..policy }, &[FAIL]);
        for _ in 0..1_000 {
            assert_eq!(status(&stand.get().await), 500);
        }
        let retries = stand.told.attempts() - 1_000;
        assert_eq!(retries, 120, "more retries than the budget has");
        let refused = stand.seen.1.lock().unwrap().iter().filter(|(_, allowed)| !allowed).count();
        assert!(refused >= 880, "{refused} were told of");
        tokio::time::advance(Duration::from_secs(20)).await;
        let _ = stand.get().await;
        assert_eq!(stand.told.attempts(), 1_120 + 4, "it fills up again");
    });
}

#[test]
pub(crate) fn nothing_outlives_the_callers_deadline() {
    run(async {
        let policy = Policy { retries: 9, hedge: Hedge::After(MS(700)), ..plain() };
        for script in [&[Does::Hang][..], &[FAIL], &[Does::Later], &[Does::Answer(200, MS(60_000))]] {
            let stand = Stand::new(policy.clone(), script);
            let began = Instant::now();
            let outcome = behalf::until(began + MS(2_000), stand.get()).await;
            assert!(status(&outcome) != 200, "{script:?}");
            assert!(began.elapsed() <= MS(2_001), "{script:?} was waited for {:?}", began.elapsed());
            let attempts = stand.told.attempts();
            sleep(MS(60_000)).await;
            assert_eq!(stand.told.attempts(), attempts, "nothing goes on behind the caller's back");
        }
        let stand = Stand::new(plain(), &[WORK]);
        let late = behalf::until(Instant::now(), stand.get()).await;
        assert!(matches!(late, Err(OutboundError::NoTime { .. })), "{late:?}");
        assert_eq!(stand.told.attempts(), 0);
    });
}

#[test]
fn a_peer_holds_so_many_calls_and_no_more() {
    run(async {
        let policy = Policy { concurrency: 2, queue: 3, ..plain() };
        let stand = Arc::new(Stand::new(policy, &[Does::Answer(200, MS(100))]));
        let all: Vec<_> = (0..7)
            .map(|_| {
                let stand = Arc::clone(&stand);
                tokio::spawn(async move { stand.get().await })
            })
            .collect();
        let began = Instant::now();
        let mut outcomes = Vec::new();
        for one in all {
            outcomes.push(one.await.unwrap());
        }
        let busy = outcomes.iter().filter(|one| matches!(one, Err(OutboundError::Busy { .. }))).count();
        let served = outcomes.iter().filter(|one| status(one) == 200).count();
        assert_eq!((served, busy), (5, 2));
        assert!(began.elapsed() >= MS(300), "two at a time");
        // Who waits for a place waits no longer than its caller does, and leaves no place taken.
        stand.told.now_does(&[Does::Hang]);
        let hung: Vec<_> = (0..2)
            .map(|_| {
                let stand = Arc::clone(&stand);
                tokio::spawn(async move { stand.get().await })
            })
            .collect();
        tokio::task::yield_now().await;
        let waits = behalf::until(Instant::now() + MS(50), stand.get()).await;
        assert!(matches!(waits, Err(OutboundError::NoTime { .. })), "{waits:?}");
        hung.iter().for_each(tokio::task::JoinHandle::abort);
        stand.told.now_does(&[WORK]);
        for _ in 0..5 {
            assert_eq!(status(&stand.get().await), 200);
        }
    });
}

#[test]
fn a_read_that_takes_long_is_asked_for_again_and_the_first_good_answer_counts() {
    run(async {
        let policy = Policy { hedge: Hedge::After(MS(100)), ..plain() };
        let slow = Does::Answer(200, MS(3_000));
        let stand = Stand::new(policy.clone(), &[slow, Does::Answer(201, MS(10))]);
        let began = Instant::now();
        assert_eq!(status(&stand.get().await), 201);
        assert!(began.elapsed() < MS(200) && stand.told.attempts() == 2);
        for (script, expected) in [
            (&[Does::Answer(200, MS(300)), FAIL][..], 200),
            (&[Does::Answer(500, MS(150)), Does::Answer(201, MS(300))], 201),
            (&[Does::Answer(200, MS(99)), FAIL], 200),
            (&[Does::Answer(200, MS(300)), Does::Refuse], 200),
        ] {
            assert_eq!(status(&Stand::new(policy.clone(), script).get().await), expected, "{script:?}");
        }
        let stand = Stand::new(policy.clone(), &[slow]);
        assert_eq!(status(&stand.ask(Method::PUT).await), 200);
        assert_eq!(stand.told.attempts(), 1, "what writes is asked once");
        let poor = Policy { retries_per_second: 0, retry_percent: 0, ..policy };
        let stand = Stand::new(poor, &[slow]);
        assert_eq!(status(&stand.get().await), 200);
        assert_eq!(stand.told.attempts(), 1, "the budget bounds hedges too");
    });
}

#[test]
fn what_is_long_is_learnt_from_the_reads_before() {
    run(async {
        let stand = Stand::new(Policy { hedge: Hedge::P95, ..plain() }, &[Does::Answer(200, MS(40))]);
        for _ in 0..30 {
            assert_eq!(status(&stand.get().await), 200);
        }
        assert_eq!(stand.told.attempts(), 30);
        stand.told.now_does(&[Does::Hang, Does::Answer(200, MS(40))]);
        let began = Instant::now();
        assert_eq!(status(&stand.get().await), 200);
        assert!(began.elapsed() <= MS(85), "{:?}", began.elapsed());
    });
}
