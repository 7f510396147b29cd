//! The feed's state machine as a black box. A line for each theme.

mod books;
mod controls;
mod golden;
mod histories;
mod partitions;
mod people;
mod privacy;
mod races;
mod rows;
mod world;
