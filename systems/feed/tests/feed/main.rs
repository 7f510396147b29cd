//! The feed's state machine as a black box. A line for each theme.

mod books;
mod histories;
mod partitions;
mod people;
mod races;
mod rows;
mod world;
