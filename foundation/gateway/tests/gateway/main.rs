//! Black-box tests of the gateway, over real sockets where a server takes part.

mod access;
mod controls;
mod desk;
mod hostile;
mod layers;
mod limits;
mod operations;
mod pages;
mod proxies;
mod server;
mod tls;
