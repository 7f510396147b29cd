//! The edge: where secrets are made and compared, tokens signed and checked, and HTTP is spoken.

pub mod app;
mod authenticator;
mod challenge;
mod credential;
mod direct;
mod erasure;
mod failures;
mod keys;
mod logon;
pub mod oauth;
mod passkey;
pub mod people;
pub mod provider;
mod random;
mod recorder;
pub mod rest;
pub mod service;
