//! Moments that are easily got wrong, one test each.
