//! Media: turns an uploaded file of unknown honesty into files that are safe to serve, with the facts clients show.
//!
//! The way of an upload: [`recognise`] tells the type by content, never by what the client declares; [`Workshop::process`]
//! refuses by the header what is too large, then has `ffmpeg` make the files in a child process under limits, without a
//! way to the network or to other files; what comes out is a [`Processed`], whose [`Meta`] has the shape of Mastodon's
//! `MediaAttachment.meta`. [`Workshop::portrait`] does the same for avatars and headers.
//!
//! Everything that is served has been encoded anew or copied stream by stream, so that no metadata survives (places,
//! devices, titles, chapters) and no file is both a picture and something else.
//!
//! [`Addresses`] are what files are served under: those of what is for some end.
//!
//! It leaves to others: where files are kept, which account may upload how many, ids, descriptions, and the log lines
//! ([`Refused::log`] has what is to be written there).

mod address;
mod attached;
mod avif;
mod blurhash;
mod box_walk;
mod child;
mod exif;
mod format;
mod gif;
mod gifv;
mod heic;
mod image;
mod limits;
mod looks;
mod meta;
mod moving;
mod picture;
mod portrait;
mod probe;
mod refused;
mod scratch;
mod sniff;
mod still;
mod webp;
mod workshop;

pub use address::{Addresses, Holds};
pub use blurhash::blurhash;
pub use format::{Class, Format};
pub use limits::{Limits, Programs, Time};
pub use meta::{Dimensions, Focus, Meta, Original};
pub use portrait::{Portrait, Shape};
pub use refused::Refused;
pub use sniff::{recognise, sniff};
pub use workshop::{Job, Kind, Made, Processed, Workshop};
