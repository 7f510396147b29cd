//! The feed's state machine and its media workshop as black boxes. A line for each theme.

mod books;
mod controls;
mod erasure;
mod golden;
mod histories;
mod inbox;
mod leftovers;
mod measures;
mod media;
mod offline;
mod partitions;
mod people;
mod privacy;
mod push;
mod races;
mod ranking;
mod rows;
mod undone;
mod usage;
mod world;
