//! What is made from events and can be thrown away at will: home timelines in memory, and who listens live.

pub mod emojis;
pub mod homes;
pub mod standings;
