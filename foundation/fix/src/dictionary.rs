//! FIX 4.4 as tables, generated from `dictionary/` by the build script.

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
