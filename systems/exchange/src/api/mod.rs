//! The exchange's doors: FIX for participants, REST and WebSocket for people and pages.

pub mod feed;
pub mod fix;
pub mod rest;
pub mod service;
pub mod setup;
