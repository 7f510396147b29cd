//! Black-box tests of encryption at rest.
//!
//! * `master`: where a master key comes from, and what is refused
//! * `ring`: data keys, their file, rotation
//! * `message`: what is sealed whole
//! * `stream`: what is sealed in chunks
//! * `controls`: each guarantee taken out, to see that its test notices (`--features sabotage`)

mod controls;
mod master;
mod message;
mod ring;
mod stream;
