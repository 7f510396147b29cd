//! An exchange.
