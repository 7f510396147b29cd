//! Training, models and metrics as black boxes. A line for each theme.

mod controls;
mod data;
mod hostile;
mod metrics;
mod same;
mod scikit;
