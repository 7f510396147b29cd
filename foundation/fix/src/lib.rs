//! A FIX 4.4 engine.
