//! The media workshop with real programs: what comes out, what does not, and what is left behind.
//!
//! * `pictures`: stills, their orientation, types and sizes
//! * `videos`: videos and animations
//! * `audio`: sound and covers
//! * `portraits`: avatars and headers
//! * `hostile`: forged, endless and broken files
//! * `bounds`: time, turns, and futures that are dropped

pub(crate) mod addresses;
mod audio;
mod bounds;
mod forge;
mod hostile;
mod pictures;
mod portraits;
mod videos;
