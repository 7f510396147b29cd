//! The dedupe window: the last replies given to clients, so that a command sent twice is applied once and answered
//! twice.
//!
//! One window per partition, bounded in entries and bytes; the oldest reply goes first. A repeat that comes after its
//! reply has gone is not recognised: clients must not retry for longer than the window lasts.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};

use crate::codec::{put_bytes, put_u64, take_bytes, take_u64};
use crate::machine::Digest;

/// Replies kept in all, in bytes. Part of the behaviour, like [`crate::StateMachine::DEDUPE_WINDOW`].
const WINDOW_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, Debug)]
struct Entry {
    client: u64,
    sequence: u64,
    offset: u64,
    kind: (u16, u16),
    length: usize,
    digest: Digest,
}

/// A reply as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) offset: u64,
    pub(crate) kind: (u16, u16),
    pub(crate) body: Vec<u8>,
}

/// The window.
#[derive(Debug)]
pub(crate) struct Window {
    capacity: usize,
    entries: VecDeque<Entry>,
    /// The entries' replies, one after the other.
    bytes: VecDeque<u8>,
    /// How many entries and bytes were dropped at the front: numbers that stay when the front moves.
    dropped: u64,
    dropped_bytes: u64,
    /// (client, sequence) → the entry's number and where its reply begins. Never iterated.
    index: HashMap<(u64, u64), (u64, u64)>,
    digest: Digest,
}

impl Window {
    pub(crate) fn new(capacity: usize) -> Window {
        Window {
            capacity,
            entries: VecDeque::new(),
            bytes: VecDeque::new(),
            dropped: 0,
            dropped_bytes: 0,
            index: HashMap::new(),
            digest: Digest::default(),
        }
    }

    /// The reply given to this client's sequence number before.
    pub(crate) fn find(&self, client: u64, sequence: u64) -> Option<Recorded> {
        let (number, position) = *self.index.get(&(client, sequence))?;
        let place =
            |absolute: u64, dropped: u64| usize::try_from(absolute - dropped).expect("within the window");
        let entry = &self.entries[place(number, self.dropped)];
        let start = place(position, self.dropped_bytes);
        let body = self.bytes.range(start..start + entry.length).copied().collect();
        Some(Recorded { offset: entry.offset, kind: entry.kind, body })
    }

    /// Remembers a reply, and forgets the oldest when there is no room. A reply larger than the window is not kept.
    pub(crate) fn remember(
        &mut self,
        client: u64,
        sequence: u64,
        offset: u64,
        kind: (u16, u16),
        body: &[u8],
    ) {
        if self.capacity == 0 || body.len() > WINDOW_BYTES {
            return;
        }
        while self.entries.len() >= self.capacity || self.bytes.len() + body.len() > WINDOW_BYTES {
            self.forget_oldest();
        }
        let number = self.dropped + self.entries.len() as u64;
        let position = self.dropped_bytes + self.bytes.len() as u64;
        let digest = Digest::of(body)
            .then(&offset.to_le_bytes())
            .then(&client.to_le_bytes())
            .then(&sequence.to_le_bytes());
        self.entries.push_back(Entry { client, sequence, offset, kind, length: body.len(), digest });
        self.bytes.extend(body);
        self.index.insert((client, sequence), (number, position));
        self.digest = self.digest.with(digest);
    }

    fn forget_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes.drain(..entry.length);
        self.index.remove(&(entry.client, entry.sequence));
        self.digest = self.digest.without(entry.digest);
        self.dropped += 1;
        self.dropped_bytes += entry.length as u64;
    }

    /// The fingerprint of what is remembered, kept up to date entry by entry.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Everything remembered from this entry number on, for tables: (number, entry as bytes).
    pub(crate) fn entries_from(&self, number: u64) -> impl Iterator<Item = (u64, Vec<u8>)> {
        let skip = usize::try_from(number.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let mut position: usize = self.entries.iter().take(skip).map(|entry| entry.length).sum();
        let first = self.dropped.max(number);
        (first..).zip(self.entries.iter().skip(skip)).map(move |(number, entry)| {
            let mut bytes = Vec::new();
            self.write_entry(entry, position, &mut bytes).expect("memory takes every write");
            position += entry.length;
            (number, bytes)
        })
    }

    /// The numbers of the entries it holds.
    pub(crate) fn numbers(&self) -> std::ops::Range<u64> {
        self.dropped..self.dropped + self.entries.len() as u64
    }

    fn write_entry(&self, entry: &Entry, position: usize, out: &mut dyn Write) -> io::Result<()> {
        put_u64(out, entry.client)?;
        put_u64(out, entry.sequence)?;
        put_u64(out, entry.offset)?;
        out.write_all(&entry.kind.0.to_le_bytes())?;
        out.write_all(&entry.kind.1.to_le_bytes())?;
        let body: Vec<u8> = self.bytes.range(position..position + entry.length).copied().collect();
        put_bytes(out, &body)
    }

    /// Takes an entry that [`Window::entries_from`] gave; entries come in order.
    pub(crate) fn restore_entry(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let (client, sequence, offset) = (take_u64(from)?, take_u64(from)?, take_u64(from)?);
        let mut kind = [0; 4];
        from.read_exact(&mut kind)?;
        let kind = (u16::from_le_bytes([kind[0], kind[1]]), u16::from_le_bytes([kind[2], kind[3]]));
        let body = take_bytes(from)?;
        self.remember(client, sequence, offset, kind, &body);
        Ok(())
    }

    /// Begins numbering at `number`, before entries are restored.
    pub(crate) fn start_at(&mut self, number: u64) {
        self.dropped = number;
    }

    pub(crate) fn snapshot(&self, out: &mut dyn Write) -> io::Result<()> {
        put_u64(out, self.entries.len() as u64)?;
        let mut position = 0;
        for entry in &self.entries {
            self.write_entry(entry, position, out)?;
            position += entry.length;
        }
        Ok(())
    }

    pub(crate) fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let count = take_u64(from)?;
        (0..count).try_for_each(|_| self.restore_entry(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_newest_and_forgets_the_oldest() {
        let mut window = Window::new(3);
        for sequence in 0..5 {
            let body = vec![u8::try_from(sequence).unwrap(); 7];
            window.remember(9, sequence, 100 + sequence, (1, 1), &body);
        }
        assert!(window.find(9, 1).is_none(), "two of five have gone");
        for sequence in 2..5 {
            let found = window.find(9, sequence).expect("the newest three stay");
            assert_eq!(found.offset, 100 + sequence);
            assert_eq!(found.body, vec![u8::try_from(sequence).unwrap(); 7]);
        }
        assert!(window.find(8, 3).is_none(), "another client's number");
    }

    #[test]
    fn a_restored_window_equals_the_original() {
        let mut window = Window::new(4);
        for sequence in 0..9 {
            window.remember(sequence % 2, sequence, sequence, (3, 1), &sequence.to_le_bytes());
        }
        let mut bytes = Vec::new();
        window.snapshot(&mut bytes).unwrap();
        let mut restored = Window::new(4);
        restored.restore(&mut &bytes[..]).unwrap();
        assert_eq!(restored.digest(), window.digest());
        assert_eq!(restored.find(0, 8), window.find(0, 8));
        let mut again = Vec::new();
        restored.snapshot(&mut again).unwrap();
        assert_eq!(again, bytes, "a snapshot does not depend on the way the state was reached");
    }
}
