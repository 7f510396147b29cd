//! Time, turns and dropped futures: what is started ends, and leaves nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use decalog_feed::media::{Job, Limits, Refused, Time};

use super::forge::Place;

/// Processes whose command line names a folder.
fn children(folder: &Path) -> usize {
    let name = folder.to_str().unwrap().as_bytes();
    let names = |entry: &fs::DirEntry| {
        fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.windows(name.len()).any(|window| window == name))
    };
    fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter(names).count()
}

/// Yields until a condition holds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

/// A video that takes long to encode, and no time to make.
fn long(place: &Place) -> Job {
    let words = "-f lavfi -i testsrc2=s=640x480:r=25:d=4 -c:v mpeg4 -q:v 31";
    let short = place.make(words, "short.mp4");
    let list = format!("-stream_loop 90 -i {} -c copy", short.display());
    place.job(&place.make(&list, "long.mp4")).unwrap()
}

#[tokio::test]
async fn ten_hours_of_black_are_copied_or_cut_off() {
    let place = Place::new();
    let black = "-f lavfi -i color=black:s=16x16:r=1:d=36000 -preset ultrafast -pix_fmt yuv420p";
    let copied = place.process(&place.make(&format!("{black} -c:v libx264"), "black.mp4")).await.unwrap();
    assert_eq!(copied.meta.length.as_deref(), Some("10:00:00.00"));
    // Long enough that only the processor time can be what ends it.
    let time = Time { cpu_seconds: 1, wall: Duration::from_secs(1800) };
    let place = Place::with(Limits { video_time: time, ..Limits::default() });
    assert!(matches!(place.workshop.process(long(&place)).await, Err(Refused::TooSlow)), "processor time");
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn what_takes_too_long_is_killed_and_reaped() {
    let time = Time { cpu_seconds: 100, wall: Duration::from_millis(200) };
    let place = Place::with(Limits { video_time: time, ..Limits::default() });
    assert!(matches!(place.workshop.process(long(&place)).await, Err(Refused::TooSlow)), "by the clock");
    assert_eq!(children(&place.out()), 0);
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn what_would_be_too_large_is_refused() {
    let place = Place::with(Limits { result_bytes: 20_000, ..Limits::default() });
    let job = long(&place);
    assert!(matches!(place.workshop.process(job).await, Err(Refused::ResultTooLarge { limit: 20_000 })));
    let picture =
        place.make("-f lavfi -i nullsrc=s=512x512,geq=random(1)*255:128:128 -frames:v 1", "noise.png");
    assert!(matches!(place.process(&picture).await, Err(Refused::ResultTooLarge { .. })));
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn what_needs_too_much_memory_is_refused() {
    let place = Place::with(Limits { memory_bytes: 360 << 20, ..Limits::default() });
    let large = place.make("-f lavfi -i color=red:s=4000x4000,format=rgba64be -frames:v 1", "large.png");
    let refused = place.process(&large).await.unwrap_err();
    assert!(matches!(refused, Refused::TooComplex { .. } | Refused::Broken { .. }), "{refused:?}");
    assert!(Place::new().process(&large).await.is_ok(), "with the usual memory it is made");
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn a_dropped_future_ends_its_child_and_removes_its_files() {
    let place = Place::new();
    let job = long(&place);
    let (workshop, out) = (place.workshop.clone(), place.out());
    let running = tokio::spawn(async move { workshop.process(job).await });
    until("the encoder starts", || {
        let scratch = fs::read_dir(&out).ok().and_then(|mut entries| entries.next()?.ok());
        scratch.is_some_and(|scratch| scratch.path().join("original.mp4").exists()) && children(&out) == 1
    })
    .await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    until("the encoder ends", || children(&out) == 0).await;
    assert!(place.left().is_empty(), "{:?}", place.left());
}

#[tokio::test]
async fn turns_are_taken_and_a_long_queue_is_refused() {
    let place = Place::with(Limits { children: 1, waiting: 1, ..Limits::default() });
    let job = long(&place);
    let picture = place.make("-f lavfi -i testsrc2=s=64x48 -frames:v 1", "a.png");
    let start = |job: Job| {
        let workshop = place.workshop.clone();
        tokio::spawn(async move { workshop.process(job).await })
    };
    let out = place.out();
    let first = start(job);
    until("the encoder starts", || children(&out) == 1).await;
    let mut second = start(place.job(&picture).unwrap());
    tokio::task::yield_now().await;
    let third = place.process(&picture).await;
    assert!(matches!(third, Err(Refused::Busy)), "{third:?}");
    assert!(third.unwrap_err().is_temporary());
    let early = tokio::time::timeout(Duration::from_millis(1), &mut second).await;
    assert!(early.is_err(), "it waits for its turn");
    first.abort();
    assert!(second.await.unwrap().is_ok(), "the turn of a dropped job is free again");
    assert!(place.process(&picture).await.is_ok());
}
