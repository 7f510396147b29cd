//! The worker that pushes: follows what each partition tells, puts it into the lanes of push services, and sends it from
//! there. Nothing waits for it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use decalog_outbound::{Answer, OutboundError};
use decalog_runtime::{Address, Partition, Subscription, SubscriptionError};
use http::{HeaderMap, header};
use tokio::sync::Notify;
use tokio::time::{Instant, interval, sleep, sleep_until};

use super::message::KEPT;
use crate::api::service::{Failure, Service};
use crate::command::RemovePush;
use crate::event::Event;
use crate::push::lanes::{Bounds, Job, Lanes, Ticket};
use crate::push::record::Record;
use crate::state::Feed;
use crate::value::{AccountId, ItemId, SECOND};

/// How often a notification is tried.
const ATTEMPTS: u32 = 10;
/// Before the second try at least half of this is waited; twice as much before each next one, up to the most.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// How long a read that failed waits.
const READ_PAUSE: Duration = Duration::from_secs(1);
/// How long a change of what waits may be unwritten, and how long a cursor that came by nothing.
const WRITE_PAUSE: Duration = Duration::from_millis(100);
const CURSOR_PAUSE: Duration = Duration::from_secs(10);
/// How often subscriptions of ended sessions are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(3_600);
/// Rows that one read looks at.
const AT_ONCE: usize = 1_000;

/// What the tasks share.
struct Pusher {
    service: Weak<Service>,
    path: PathBuf,
    told: Mutex<Told>,
    /// Accounts that have subscriptions: nobody asks about the others.
    subscribed: Mutex<HashSet<AccountId>>,
    /// Something may be due.
    due: Notify,
    /// What waits is not written.
    unwritten: Notify,
}

#[derive(Default)]
struct Told {
    lanes: Lanes,
    cursors: Vec<Address>,
    written: Vec<Address>,
}

/// What became of a try.
enum Outcome {
    /// It is over, for good or ill.
    Over,
    /// It is tried again; what was never sent does not count as a try.
    Again { wait: Duration, counts: bool },
}

/// Begins to push what is told from where it was left, or from now on when it never was.
pub(crate) fn start(service: &Arc<Service>, path: PathBuf) -> Result<(), Failure> {
    let failed = |source| Failure::Pushes { path: path.clone(), source };
    let record = Record::read(&path).map_err(failed)?.unwrap_or_default();
    let (mut lanes, now) = (Lanes::new(Bounds::default()), Instant::now());
    for job in record.jobs {
        lanes.put(job, now);
    }
    let mut followed = Vec::new();
    for (place, partition) in service.partitions().iter().enumerate() {
        // A log that was put back to an older state ends before the cursor.
        let head = partition.head();
        let from = record.cursors.get(place).copied().unwrap_or(head).min(head);
        followed.push(follow_from(partition, from)?);
    }
    let cursors: Vec<Address> = followed.iter().map(Subscription::cursor).collect();
    let told = Mutex::new(Told { lanes, written: cursors.clone(), cursors });
    let pusher = Arc::new(Pusher {
        service: Arc::downgrade(service),
        path,
        told,
        subscribed: Mutex::default(),
        due: Notify::new(),
        unwritten: Notify::new(),
    });
    for (place, events) in followed.into_iter().enumerate() {
        tokio::spawn(Arc::clone(&pusher).follow(place, events));
    }
    tokio::spawn(Arc::clone(&pusher).dispatch());
    tokio::spawn(Arc::clone(&pusher).keep_record());
    tokio::spawn(pusher.sweep());
    Ok(())
}

fn follow_from(partition: &Partition<Feed>, from: Address) -> Result<Subscription<Event>, Failure> {
    match partition.follow("push", from) {
        Err(SubscriptionError::CursorTooOld { asked, oldest }) => {
            tracing::warn!(%asked, %oldest, "notifications between are not pushed: their events are gone");
            Ok(partition.follow("push", oldest)?)
        }
        followed => Ok(followed?),
    }
}

impl Pusher {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribed(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.subscribed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a partition until it answers; nothing when the server stops.
    async fn read<R: Send + 'static>(
        &self,
        place: usize,
        read: impl Fn(&Feed) -> R + Clone + Send + 'static,
    ) -> Option<R> {
        loop {
            let service = self.service.upgrade()?;
            match service.read_place(place, read.clone()).await {
                Ok(found) => return Some(found),
                Err(_) => drop(service),
            }
            sleep(READ_PAUSE).await;
        }
    }

    /// Every account and session of a partition that has a subscription.
    async fn sessions(&self, place: usize) -> Option<Vec<(AccountId, u64)>> {
        let mut all: Vec<(AccountId, u64)> = Vec::new();
        loop {
            let after = all.last().copied();
            let some = self.read(place, move |feed| feed.subscribed(after, AT_ONCE)).await?;
            let more = some.len() == AT_ONCE;
            all.extend(some);
            if !more {
                return Some(all);
            }
        }
    }

    async fn follow(self: Arc<Self>, place: usize, mut events: Subscription<Event>) {
        let Some(sessions) = self.sessions(place).await else { return };
        self.subscribed().extend(sessions.into_iter().map(|(account, _)| account));
        loop {
            match events.next().await {
                Ok(published) => {
                    if self.take(place, &published.event).await.is_none() {
                        return;
                    }
                }
                Err(SubscriptionError::Closed) => return,
                Err(error) => return tracing::error!(%error, "notifications are pushed no more"),
            }
            let written = {
                let mut told = self.told();
                told.cursors[place] = events.cursor();
                told.written[place]
            };
            events.release(written);
        }
    }

    /// Takes up what happened; nothing when the server stops.
    async fn take(&self, place: usize, event: &Event) -> Option<()> {
        match event {
            Event::PushChanged(it) if it.on => drop(self.subscribed().insert(it.account)),
            Event::PushChanged(it) => drop(self.subscribed().remove(&it.account)),
            Event::Notified(it) if self.subscribed().contains(&it.account) => {
                let (account, id) = (it.account, it.notification);
                let rows = self.read(place, move |feed| feed.pushed(account, id)).await?;
                let service = self.service.upgrade()?;
                for (session, row) in rows {
                    // An address that was taken once may be forbidden by another configuration.
                    let Ok(lane) = service.push.client.origin(&row.endpoint) else { continue };
                    self.put(Job { account, notification: id, session, service: lane, attempts: 0 });
                }
            }
            _ => {}
        }
        Some(())
    }

    fn put(&self, job: Job) {
        let dropped = self.told().lanes.put(job, Instant::now());
        say_dropped(dropped);
        self.due.notify_one();
        self.unwritten.notify_one();
    }

    /// Sends what is due, for as long as the server runs.
    async fn dispatch(self: Arc<Self>) {
        loop {
            let mut changed = pin!(self.due.notified());
            changed.as_mut().enable();
            let now = Instant::now();
            let next = loop {
                let mut told = self.told();
                match told.lanes.take(now) {
                    Some((ticket, job)) => drop(tokio::spawn(Arc::clone(&self).run(ticket, job))),
                    None => break told.lanes.next_due(),
                }
            };
            match next {
                Some(at) => tokio::select! { () = changed => {}, () = sleep_until(at) => {} },
                None => changed.await,
            }
        }
    }

    async fn run(self: Arc<Self>, ticket: Ticket, mut job: Job) {
        let Some(service) = self.service.upgrade() else { return };
        let again = match service.push(&job).await {
            Outcome::Over => None,
            Outcome::Again { wait, counts } => {
                job.attempts += u32::from(counts);
                let tried = job.attempts >= ATTEMPTS;
                if tried {
                    tracing::warn!(
                        service = job.service,
                        "a notification is not pushed: it was tried {ATTEMPTS} times"
                    );
                }
                (!tried).then(|| (job, Instant::now() + wait))
            }
        };
        say_dropped(self.told().lanes.end(&ticket, again));
        self.due.notify_one();
        self.unwritten.notify_one();
    }

    /// Writes down what is not pushed yet, soon after it changes.
    async fn keep_record(self: Arc<Self>) {
        let mut cursors = interval(CURSOR_PAUSE);
        loop {
            tokio::select! {
                () = self.unwritten.notified() => sleep(WRITE_PAUSE).await,
                _ = cursors.tick() => {
                    let told = self.told();
                    if told.cursors == told.written {
                        continue;
                    }
                }
            }
            let record = {
                let told = self.told();
                Record::of(&told.cursors, &told.lanes)
            };
            let (written, path) = (record.cursors.clone(), self.path.clone());
            match tokio::task::spawn_blocking(move || record.write(&path)).await {
                Ok(Ok(())) => self.told().written = written,
                Ok(Err(error)) => {
                    tracing::warn!(%error, path = %self.path.display(), "what waits to be pushed is not written");
                    sleep(READ_PAUSE).await;
                    self.unwritten.notify_one();
                }
                Err(_) => return,
            }
        }
    }

    /// Takes away subscriptions whose sessions have ended: nothing is pushed to them, and nothing of them is kept.
    async fn sweep(self: Arc<Self>) {
        let mut rounds = interval(SWEEP_PAUSE);
        loop {
            rounds.tick().await;
            let Some(places) = self.service.upgrade().map(|service| service.places()) else { return };
            for place in 0..places {
                let Some(sessions) = self.sessions(place).await else { return };
                for (account, session) in sessions {
                    let Some(service) = self.service.upgrade() else { return };
                    if !service.identity.session_lives(account.0, session) {
                        service.end_push(account, session, None).await;
                    }
                }
            }
        }
    }
}

fn say_dropped(job: Option<Job>) {
    if let Some(job) = job {
        tracing::warn!(
            service = job.service,
            "a notification is not pushed: too many wait for its push service"
        );
    }
}

impl Service {
    /// Pushes once.
    async fn push(&self, job: &Job) -> Outcome {
        let (account, id, session) = (job.account, job.notification, job.session);
        let read = move |feed: &Feed| (feed.push(account, session), feed.notification(account, id));
        let Ok(found) = self.read(account.bucket(), read).await else { return later(READ_PAUSE) };
        let (Some(row), Some(told)) = found else { return Outcome::Over };
        if self.now() - told.at > KEPT * SECOND {
            return Outcome::Over;
        }
        if !self.identity.session_lives(account.0, session) {
            self.end_push(account, session, Some(row.id)).await;
            return Outcome::Over;
        }
        let Some(token) = self.push.open(account, session, &row.token) else {
            tracing::warn!("a push subscription's token cannot be opened: the key that sealed it is gone");
            self.end_push(account, session, Some(row.id)).await;
            return Outcome::Over;
        };
        let message = match self.push_message(account, id, &told, &token).await {
            Ok(Some(message)) => message,
            Ok(None) => return Outcome::Over,
            Err(_) => return later(READ_PAUSE),
        };
        let request = match self.push_request(&row, &job.service, id, &told, &message) {
            Ok(request) => request,
            Err(error) => {
                tracing::warn!(error, "a notification is not pushed");
                return Outcome::Over;
            }
        };
        match self.push.client.send(request).await {
            Ok(answer) if matches!(answer.status.as_u16(), 404 | 410) => {
                self.end_push(account, session, Some(row.id)).await;
                Outcome::Over
            }
            answered => judge(job, answered),
        }
    }

    /// Ends a subscription; what cannot be done now is done when it is met again.
    async fn end_push(&self, account: AccountId, session: u64, only: Option<ItemId>) {
        let remove = RemovePush { account, session, only };
        if self.ask(account, account.bucket(), remove).await.is_err() {
            tracing::warn!("a push subscription that has ended cannot be taken away now");
        }
    }
}

/// Not now, through no fault of the push service's.
fn later(wait: Duration) -> Outcome {
    Outcome::Again { wait, counts: false }
}

/// What an answer means for a job.
fn judge(job: &Job, answered: Result<Answer, OutboundError>) -> Outcome {
    let service = &job.service;
    match answered {
        Ok(answer) if answer.status.is_success() => Outcome::Over,
        Ok(answer) if answer.status.is_server_error() || matches!(answer.status.as_u16(), 408 | 429) => {
            let wait = retry_after(&answer.headers).unwrap_or_default().max(pause(job.attempts));
            Outcome::Again { wait: wait.min(LONGEST_PAUSE), counts: true }
        }
        Ok(answer) => {
            tracing::warn!(service, status = answer.status.as_u16(), "a push service refuses a notification");
            Outcome::Over
        }
        Err(OutboundError::Paused { wait, .. }) => later(wait.max(READ_PAUSE)),
        Err(OutboundError::Busy { .. } | OutboundError::NoTime { .. }) => later(pause(job.attempts)),
        Err(error @ (OutboundError::Url { .. } | OutboundError::Forbidden(_))) => {
            tracing::warn!(service, %error, "a notification is not pushed");
            Outcome::Over
        }
        Err(_) => Outcome::Again { wait: pause(job.attempts), counts: true },
    }
}

/// How long to wait after so many tries: twice as long each time, and each a little else, so that those which failed
/// together do not come back together.
fn pause(attempts: u32) -> Duration {
    let longest = PAUSE.saturating_mul(1 << attempts.min(20)).min(LONGEST_PAUSE);
    let share: [u8; 1] =
        ring::rand::generate(&ring::rand::SystemRandom::new()).map_or([0], |share| share.expose());
    longest.mul_f64(0.5 + f64::from(share[0]) / 512.0)
}

/// When the service wants to be asked again, in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
