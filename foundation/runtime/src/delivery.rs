//! Messages between partitions: a dense sequence per target at the source, a refusal of repeats and gaps at the
//! target, acknowledgements that trim. All of it is state, so both sides survive any crash in step with their log.
//!
//! This file keeps the books; carrying messages is the driver's (or the simulator's) work, and may lose, repeat and
//! reorder them as it likes.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};

use decalog_log::PartitionId;

use crate::codec::{put_bytes, put_u32, put_u64, take_bytes, take_u32, take_u64};
use crate::machine::{Digest, Message};
use crate::sabotage::{self, Sabotage};

/// A message with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    /// Its place in the sequence to its target; the first is 1.
    pub(crate) sequence: u64,
    /// The record that sent it.
    pub(crate) offset: u64,
    pub(crate) message: Message,
}

/// What was sent to one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lane {
    last: u64,
    unacknowledged: VecDeque<Posted>,
}

/// What a target says to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the next: apply it.
    Next,
    /// It was applied before: say so again.
    Repeat,
    /// One before it is missing: let the source send again.
    Gap,
}

/// The books of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Post {
    out: BTreeMap<PartitionId, Lane>,
    received: BTreeMap<PartitionId, u64>,
    /// The fingerprint of everything unacknowledged.
    digest: Digest,
}

fn entry_digest(posted: &Posted) -> Digest {
    Digest::of(&posted.message.body)
        .then(&posted.message.target.0.to_le_bytes())
        .then(&posted.sequence.to_le_bytes())
        .then(&posted.message.kind.0.to_le_bytes())
}

impl Post {
    /// Takes a message that a record sent.
    pub(crate) fn send(&mut self, offset: u64, message: Message) {
        let lane = self.out.entry(message.target).or_default();
        lane.last += 1;
        let posted = Posted { sequence: lane.last, offset, message };
        self.digest = self.digest.with(entry_digest(&posted));
        lane.unacknowledged.push_back(posted);
    }

    /// A message has come from another partition: is it the next? If so it counts as received.
    pub(crate) fn receive(&mut self, source: PartitionId, sequence: u64) -> Verdict {
        let received = self.received.entry(source).or_default();
        if sabotage::lacks(Sabotage::DeliveryGaps) {
            *received = sequence;
            return Verdict::Next;
        }
        if sequence <= *received {
            Verdict::Repeat
        } else if sequence == *received + 1 {
            *received = sequence;
            Verdict::Next
        } else {
            Verdict::Gap
        }
    }

    /// A target has everything up to this sequence. Older news changes nothing.
    pub(crate) fn acknowledge(&mut self, target: PartitionId, sequence: u64) {
        let Some(lane) = self.out.get_mut(&target) else { return };
        while lane.unacknowledged.front().is_some_and(|posted| posted.sequence <= sequence) {
            let posted = lane.unacknowledged.pop_front().expect("a front");
            self.digest = self.digest.without(entry_digest(&posted));
        }
    }

    /// What this target has not acknowledged, from this sequence on and sent by records below `synced`.
    pub(crate) fn ready(&self, target: PartitionId, from: u64, synced: u64) -> impl Iterator<Item = &Posted> {
        let queue = self.out.get(&target).map(|lane| &lane.unacknowledged);
        let skip = queue.map_or(0, |queue| queue.partition_point(|posted| posted.sequence < from));
        let early = sabotage::lacks(Sabotage::Sync);
        queue
            .into_iter()
            .flat_map(move |queue| queue.iter().skip(skip))
            .take_while(move |posted| early || posted.offset < synced)
    }

    /// The targets that have not acknowledged everything.
    pub(crate) fn targets(&self) -> impl Iterator<Item = PartitionId> {
        self.out.iter().filter(|(_, lane)| !lane.unacknowledged.is_empty()).map(|(target, _)| *target)
    }

    /// How many messages were ever sent to each target.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (PartitionId, u64)> {
        self.out.iter().map(|(target, lane)| (*target, lane.last))
    }

    /// How far each source's messages have come.
    pub(crate) fn received(&self) -> impl Iterator<Item = (PartitionId, u64)> {
        self.received.iter().map(|(source, sequence)| (*source, *sequence))
    }

    /// The record that sent the newest unacknowledged message.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.out.values().filter_map(|lane| lane.unacknowledged.back()).map(|posted| posted.offset).max()
    }

    pub(crate) fn digest(&self) -> Digest {
        let lanes = self.out.iter().map(|(target, lane)| (*target, lane.last));
        lanes.chain(self.received()).fold(self.digest, |digest, (partition, sequence)| {
            digest.then(&partition.0.to_le_bytes()).then(&sequence.to_le_bytes())
        })
    }

    pub(crate) fn snapshot(&self, out: &mut dyn Write) -> io::Result<()> {
        put_u64(out, self.out.len() as u64)?;
        for (target, lane) in &self.out {
            put_u32(out, target.0)?;
            put_u64(out, lane.last)?;
            put_u64(out, lane.unacknowledged.len() as u64)?;
            for Posted { sequence, offset, message } in &lane.unacknowledged {
                put_u64(out, *sequence)?;
                put_u64(out, *offset)?;
                out.write_all(&message.bucket.to_le_bytes())?;
                out.write_all(&message.kind.0.to_le_bytes())?;
                out.write_all(&message.kind.1.to_le_bytes())?;
                put_bytes(out, &message.body)?;
            }
        }
        put_u64(out, self.received.len() as u64)?;
        for (source, sequence) in self.received() {
            put_u32(out, source.0)?;
            put_u64(out, sequence)?;
        }
        Ok(())
    }

    pub(crate) fn restore(from: &mut dyn Read) -> io::Result<Post> {
        let mut post = Post::default();
        for _ in 0..take_u64(from)? {
            let target = PartitionId(take_u32(from)?);
            let mut lane = Lane { last: take_u64(from)?, ..Lane::default() };
            for _ in 0..take_u64(from)? {
                let (sequence, offset) = (take_u64(from)?, take_u64(from)?);
                let mut fixed = [0; 6];
                from.read_exact(&mut fixed)?;
                let [bucket, kind, version] =
                    [0, 2, 4].map(|at| u16::from_le_bytes([fixed[at], fixed[at + 1]]));
                let message = Message { target, bucket, kind: (kind, version), body: take_bytes(from)? };
                let posted = Posted { sequence, offset, message };
                post.digest = post.digest.with(entry_digest(&posted));
                lane.unacknowledged.push_back(posted);
            }
            post.out.insert(target, lane);
        }
        for _ in 0..take_u64(from)? {
            let source = PartitionId(take_u32(from)?);
            post.received.insert(source, take_u64(from)?);
        }
        Ok(post)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(target: u32, body: &[u8]) -> Message {
        Message { target: PartitionId(target), bucket: 3, kind: (1, 1), body: body.to_vec() }
    }

    #[test]
    fn a_target_takes_each_message_once_and_in_order() {
        let mut post = Post::default();
        let source = PartitionId(7);
        assert_eq!(post.receive(source, 2), Verdict::Gap);
        assert_eq!(post.receive(source, 1), Verdict::Next);
        assert_eq!(post.receive(source, 1), Verdict::Repeat);
        assert_eq!(post.receive(source, 2), Verdict::Next);
        assert_eq!(post.receive(PartitionId(8), 1), Verdict::Next, "each source counts by itself");
    }

    #[test]
    fn messages_leave_only_once_synced_and_stay_until_acknowledged() {
        let mut post = Post::default();
        let target = PartitionId(2);
        for offset in 10..15 {
            post.send(offset, message(2, b"x"));
        }
        let ready = |post: &Post, synced| {
            post.ready(target, 1, synced).map(|posted| posted.sequence).collect::<Vec<_>>()
        };
        assert_eq!(ready(&post, 10), [0; 0]);
        assert_eq!(ready(&post, 12), [1, 2]);
        post.acknowledge(target, 1);
        post.acknowledge(target, 0);
        assert_eq!(ready(&post, 20), [2, 3, 4, 5]);
        let mut bytes = Vec::new();
        post.snapshot(&mut bytes).unwrap();
        let restored = Post::restore(&mut &bytes[..]).unwrap();
        assert_eq!(restored, post);
        assert_eq!(restored.digest(), post.digest());
    }
}
