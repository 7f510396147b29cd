//! Encryption at rest: one master key that an operator keeps, data keys that lie beside the data, and two shapes of
//! sealed bytes.
//!
//! ```text
//! master key (file, environment, command)      kept by the operator, never written here
//!   └─ wraps ─▶ data keys 1, 2, 3…             the key ring, a file beside the data; the newest seals
//!                 └─ HKDF(data key, fresh salt) ─▶ a key for one run of a sealer, or for one stream
//! ```
//!
//! * A **message** ([`Sealer`], [`Opener`]): a batch of the journal, a block of events. Sealed and opened whole.
//! * A **stream** ([`StreamWriter`], [`StreamReader`], [`StreamKey`]): a snapshot, a blob. Sealed in chunks of 64 KiB,
//!   so that memory stays bounded and any range can be opened without what is before it.
//!
//! ```
//! use std::sync::Arc;
//! use decalog_seal::{KeyRing, MasterKey, Opener, Sealer};
//!
//! # let folder = tempfile::tempdir()?;
//! let master = MasterKey::new([7; 32]); // from a `KeySource`, in a server
//! let ring = Arc::new(KeyRing::create(&folder.path().join("seal.keys"), &master)?);
//!
//! let mut sealed = Vec::new();
//! let key = Sealer::new(ring.clone(), "letters 1")?.seal(b"drawer 3", b"dear reader", &mut sealed)?;
//!
//! let (mut opener, mut plain) = (Opener::new(ring, "letters 1"), Vec::new());
//! assert_eq!(opener.open(key, b"drawer 3", &sealed, &mut plain)?, b"dear reader");
//! assert!(opener.open(key, b"drawer 4", &sealed, &mut plain).is_err()); // it was moved
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why no nonce is ever used twice
//!
//! The cipher is AES-256-GCM, for which one repeated pair of key and nonce gives the plaintexts away. A nonce made of
//! a place on disk would repeat: a torn tail is cut off and its place is written again, with other bytes. So places
//! are not nonces here. Each sealer and each stream draws 128 random bits when it begins and derives a key of its own
//! from the data key and them; under that key a counter, which is in memory only and only goes up, is the nonce. Two
//! uses of one pair would take two draws of the same 128 bits under the same data key: after 2^32 restarts the chance
//! is below 2^-64. The draw and the counter lie in front of the sealed bytes. The ring's file draws 256 bits for each
//! time it is written, and takes the key's number as the nonce.
//!
//! # What a seal binds
//!
//! The caller names the place (the partition and offset of a batch, the name of a snapshot); it is the associated
//! data, so sealed bytes that are moved elsewhere do not open. What the bytes are for and the version of their form
//! are in the derivation of the key. A stream's chunks carry their number and whether they are the last (the STREAM
//! construction: Hoang, Reyhanitabar, Rogaway and Vizár, 2015), so none can be left out, moved, or cut off the end.
//!
//! # What it does not do
//!
//! * It does not hide how much there is, when it was written, or the offsets and digests in the journal's headers.
//! * It does not notice that a whole data directory was put back to an older, whole state.
//! * Key bytes are zeroed when they are dropped; the expanded schedules inside the cipher's library are not.
//!
//! With the feature `sabotage` a [`sabotage::Sabotage`] can be taken out, so that tests show they would notice.

#![forbid(unsafe_code)]

mod cipher;
mod error;
mod hex;
mod master;
mod message;
mod ring;
mod ring_file;
pub mod sabotage;
mod stream;
mod stream_io;

pub use error::SealError;
pub use master::{KeySource, MasterKey};
pub use message::{MESSAGE_OVERHEAD_BYTES, Opener, Sealer};
pub use ring::{KeyRing, UNSEALED};
pub use stream::{
    CHUNK_BYTES, STREAM_HEADER_BYTES, STREAM_MAGIC, StreamKey, TAG_BYTES, plain_length, sealed_length,
};
pub use stream_io::{StreamReader, StreamWriter};
