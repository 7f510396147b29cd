//! The built binary from outside: its command line, its exit codes, and a server that is traded on, killed and looked at.

mod commands;
mod server;
mod trading;
