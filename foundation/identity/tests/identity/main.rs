//! The directory as a black box, and the doors to it. A line for each theme.

mod controls;
mod golden;
mod guarantees;
mod histories;
mod life;
mod tokens;
