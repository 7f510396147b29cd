//! Finds the route of a request.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::routing::MethodRouter;

use crate::overload::Share;
use crate::problem::{self, Problem};
use crate::route::{Declared, Manner, is_beneath};

/// One route, and what a request for it meets.
pub(super) struct Entry {
    pub(super) declared: Declared,
    pub(super) share: Arc<Share>,
    manner: Manner,
    /// Its handler alone: whatever the request says, no other can be reached from here.
    pub(super) handler: Router,
}

/// All routes, by path.
#[derive(Default)]
pub(super) struct Table {
    routes: matchit::Router<Vec<Entry>>,
    /// Paths beneath which a protocol speaks, also where no route is.
    beneath: Vec<(&'static str, Manner)>,
}

/// What a request is for.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    Route(&'a Entry),
    /// The path's routes are for other methods.
    OtherMethods(&'a [Entry]),
    Nothing(Manner),
}

impl Table {
    /// # Panics
    /// When the route is there already, or its path and another's can mean the same.
    pub(super) fn add(
        &mut self,
        declared: Declared,
        share: Arc<Share>,
        manner: Manner,
        handler: MethodRouter,
    ) {
        let path = declared.path;
        let handler = Router::new().route(path, handler);
        let entry = Entry { declared, share, manner, handler };
        // What is there already may be another template that only looks alike: then the insertion below says so.
        if let Ok(there) = self.routes.at_mut(path)
            && there.value.first().is_some_and(|first| first.declared.path == path)
        {
            let taken = there.value.iter().any(|other| other.declared.method == entry.declared.method);
            assert!(!taken, "{} {path} is declared twice", entry.declared.method);
            return there.value.push(entry);
        }
        if let Err(error) = self.routes.insert(path, vec![entry]) {
            panic!("the path {path} cannot be a route: {error}");
        }
    }

    /// What has no route beneath these paths is answered in this manner.
    pub(super) fn speak_beneath(&mut self, paths: &[&'static str], manner: Manner) {
        self.beneath.extend(paths.iter().map(|path| (*path, manner)));
    }

    fn nothing(&self, path: &str) -> Found<'_> {
        let of = self.beneath.iter().find(|(root, _)| is_beneath(path, root));
        Found::Nothing(of.map(|(_, manner)| *manner).unwrap_or_default())
    }

    /// The route of a request. GET answers HEAD too.
    pub(super) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let Ok(there) = self.routes.at(path) else { return self.nothing(path) };
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let with = |method: &Method| there.value.iter().find(|entry| entry.declared.method == *method);
        match with(method).or_else(|| with(wanted)) {
            Some(entry) => Found::Route(entry),
            None => Found::OtherMethods(there.value),
        }
    }
}

impl Found<'_> {
    /// How the gateway answers for it.
    pub(super) fn manner(&self) -> Manner {
        match self {
            Found::Route(entry) => entry.manner,
            Found::OtherMethods(others) => others.first().map(|entry| entry.manner).unwrap_or_default(),
            Found::Nothing(manner) => *manner,
        }
    }

    /// The template of the path, if it is anybody's.
    pub(super) fn template(&self) -> Option<&'static str> {
        match self {
            Found::Route(entry) => Some(entry.declared.path),
            Found::OtherMethods(others) => others.first().map(|entry| entry.declared.path),
            Found::Nothing(_) => None,
        }
    }
}

/// Says which methods there are (RFC 9110 section 15.5.6).
pub(super) fn other_methods(method: &Method, there: &[Entry]) -> Problem {
    let mut allowed: Vec<&str> = there.iter().map(|entry| entry.declared.method.as_str()).collect();
    if allowed.contains(&"GET") && !allowed.contains(&"HEAD") {
        allowed.push("HEAD");
    }
    let allowed = HeaderValue::try_from(allowed.join(",")).expect("the names of methods");
    let detail = format!("{method} is not for this path; the Allow header lists what is");
    problem::METHOD_NOT_ALLOWED.because(detail).with_header(header::ALLOW, allowed)
}
