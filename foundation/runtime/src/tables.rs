//! Tables for machines whose state grows with history.

/// Ordered tables with a write buffer.
#[derive(Debug)]
pub struct Tables {}
