//! The engine through its public API.

#[path = "../../examples/echo/echo.rs"]
mod echo;

mod definitions;
