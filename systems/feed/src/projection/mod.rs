//! What is made from events and can be thrown away at will: home timelines in memory.

pub mod homes;
