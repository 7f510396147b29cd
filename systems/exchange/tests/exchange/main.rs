//! The matching unit as a black box: commands in, replies and events out. A line for each theme.

mod day_end;
mod desk;
mod golden;
mod market_data;
mod oracle;
mod order_entry;
mod order_states;
mod random_trading;
mod refusals;
mod sessions;
mod snapshots;
mod witness;
