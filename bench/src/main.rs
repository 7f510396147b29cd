//! The Decalog server.
fn main() {}
