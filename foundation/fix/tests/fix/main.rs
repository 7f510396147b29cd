//! The engine through its public API.

#[path = "../../examples/echo/echo.rs"]
mod echo;

mod chaos;
mod controls;
mod definitions;
mod desk;
mod facts;
mod framing;
mod network;
mod pair;
mod rules;
mod script;
mod typed;
mod validation;
