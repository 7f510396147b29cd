//! What an operator relies on: probes, and that one system's flood is not another's.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use decalog_gateway::access::Access;
use decalog_gateway::behalf;
use decalog_gateway::front::{Door, Front, Settings};
use decalog_gateway::gate::Gate;
use decalog_gateway::health::Health;
use decalog_gateway::overload::{Bulkhead, Load, Priority};
use decalog_gateway::route::Routes;
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::desk::{SOON, run};

async fn ask(door: &Door, request: &str) -> (u16, String) {
    let (method, path) = request.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = door.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn closed() -> Front {
    Front::new(Gate::closed(), Settings::default())
}

#[test]
fn the_probes_follow_the_server_through_its_life() {
    run(async {
        let ill = Arc::new(std::sync::Mutex::new(None::<String>));
        let asked = Arc::clone(&ill);
        let health = Health::new().with("ledger", Arc::new(move || asked.lock().unwrap().clone()));
        let door = closed().with(Health::routes().with_state(health.clone())).open();
        let statuses = async || {
            let mut all = Vec::new();
            for path in ["/livez", "/healthz", "/startupz", "/readyz"] {
                all.push(ask(&door, &format!("GET {path}")).await.0);
            }
            all
        };
        assert_eq!(statuses().await, [200, 200, 503, 503]);
        health.started();
        assert_eq!(statuses().await, [200, 200, 200, 200]);
        *ill.lock().unwrap() = Some("unit 3 is halted".to_owned());
        assert_eq!(statuses().await, [200, 200, 200, 503]);
        assert!(ask(&door, "GET /readyz").await.1.contains("ledger: unit 3 is halted"));
        *ill.lock().unwrap() = None;
        health.stopping();
        assert_eq!(statuses().await, [200, 200, 200, 503]);
    });
}

/// Three systems that share ten places: `/slow` waits until told, `/high` and `/vital` answer at once.
fn systems(go: &Arc<Notify>, deadline: Duration) -> Door {
    let load = Load::new(10);
    let waits = Arc::clone(go);
    let slow = async move || {
        waits.notified().await;
        "done"
    };
    let system =
        |system, priority, most| Bulkhead { system, load: Arc::clone(&load), most, priority, deadline };
    let quick = |path| Routes::new().route(Method::GET, path, Access::Public, async || "done");
    let waiting = |path| Routes::new().route(Method::GET, path, Access::Public, slow.clone());
    closed()
        .with_system(system("slow", Priority::Ordinary, 4), waiting("/slow"))
        .with_system(system("other", Priority::Ordinary, 9), waiting("/other"))
        .with_system(system("high", Priority::High, 9), quick("/high"))
        .with_system(system("vital", Priority::Vital, 0), quick("/vital"))
        .open()
}

/// Sends so many that wait; gives the statuses of those that were refused at once.
async fn flood(door: &Door, path: &'static str, count: usize) -> usize {
    let mut refused = 0;
    for _ in 0..count {
        let door = door.clone();
        let asked = tokio::spawn(async move { ask(&door, &format!("GET {path}")).await });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        if asked.is_finished() {
            let (status, body) = asked.await.unwrap();
            assert!(status == 503 && body.contains("overloaded"), "{body}");
            refused += 1;
        }
    }
    refused
}

#[test]
fn a_flood_takes_its_own_places_and_the_vital_goes_on() {
    run(async {
        let go = Arc::new(Notify::new());
        let door = systems(&go, Duration::from_secs(60));
        assert_eq!(flood(&door, "/slow", 7).await, 3);
        // Eight of the ten are for ordinary work; four are taken.
        assert_eq!(flood(&door, "/other", 6).await, 2);
        assert_eq!(ask(&door, "GET /high").await.0, 200);
        assert_eq!(ask(&door, "GET /vital").await.0, 200);
        go.notify_waiters();
        tokio::task::yield_now().await;
        while flood(&door, "/slow", 1).await == 1 {}
    });
}

#[test]
fn an_answer_that_does_not_come_in_time_is_given_up() {
    run(async {
        let door = systems(&Arc::new(Notify::new()), SOON);
        let (status, body) = ask(&door, "GET /slow").await;
        assert!(status == 503 && body.contains("deadline-exceeded"), "{body}");
        // Its place is free again.
        assert_eq!(flood(&door, "/slow", 4).await, 0);
    });
}

#[test]
fn a_handler_is_told_when_its_answer_is_no_longer_wanted() {
    run(async {
        let told = async || match behalf::deadline() {
            Some(end) => end.saturating_duration_since(Instant::now()).as_secs().to_string(),
            None => "nothing".to_owned(),
        };
        let routes = Routes::<()>::new().route(Method::GET, "/told", Access::Public, told);
        let (load, deadline) = (Load::new(10), Duration::from_secs(1_000));
        let bulkhead = Bulkhead { system: "told", load, most: 1, priority: Priority::Ordinary, deadline };
        let door = closed().with_system(bulkhead, routes).open();
        let (_, body) = ask(&door, "GET /told").await;
        let left: u64 = body.parse().expect(&body);
        assert!((900..=1_000).contains(&left), "{left} seconds are left");
    });
}
