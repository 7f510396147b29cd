//! Where what was sent can be found again: per outbound number the owner's address, for a bounded window.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::inbound::SeqNum;

/// The addresses of sent messages, oldest first. Numbers without one (administrative messages) cost nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent<R> {
    addresses: VecDeque<(SeqNum, R)>,
}

impl<R: Copy> Sent<R> {
    pub(super) const fn new() -> Self {
        Self { addresses: VecDeque::new() }
    }

    /// Notes the address of a number above all noted before, and forgets what left the window.
    pub(super) fn note(&mut self, seq: SeqNum, address: R, window: u64) {
        self.addresses.push_back((seq, address));
        while self.addresses.front().is_some_and(|(oldest, _)| seq - oldest >= window) {
            self.addresses.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.addresses.clear();
    }

    /// What has to be sent so that the other side has every number of `begin..=end`.
    pub(super) fn replay(&self, begin: SeqNum, end: SeqNum) -> Replay<'_, R> {
        let at = self.addresses.partition_point(|(seq, _)| *seq < begin);
        Replay { addresses: &self.addresses, at, next: begin, end }
    }
}

/// One step of a resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplayItem<R> {
    /// SequenceReset (4) with GapFillFlag (123), PossDupFlag (43) and OrigSendingTime (122).
    GapFill {
        /// Its MsgSeqNum (34): the first number it fills.
        seq: SeqNum,
        /// NewSeqNo (36): the number after the last that it fills.
        new_seq: SeqNum,
    },
    /// The message of that address, again under its number, with PossDupFlag (43) and OrigSendingTime (122).
    Resend {
        /// Its MsgSeqNum (34).
        seq: SeqNum,
        /// Where the owner finds it.
        address: R,
    },
}

/// The steps of one resend, in order.
#[derive(Debug)]
pub struct Replay<'a, R> {
    addresses: &'a VecDeque<(SeqNum, R)>,
    at: usize,
    next: SeqNum,
    end: SeqNum,
}

impl<R: Copy> Iterator for Replay<'_, R> {
    type Item = ReplayItem<R>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.end {
            return None;
        }
        let seq = self.next;
        match self.addresses.get(self.at) {
            Some(&(found, address)) if found == seq => {
                self.at += 1;
                self.next = seq + 1;
                Some(ReplayItem::Resend { seq, address })
            }
            found => {
                let until = found.map_or(self.end, |(found, _)| (found - 1).min(self.end));
                self.next = until + 1;
                Some(ReplayItem::GapFill { seq, new_seq: self.next })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(sent: &Sent<char>, begin: SeqNum, end: SeqNum) -> Vec<String> {
        let text = |item| match item {
            ReplayItem::GapFill { seq, new_seq } => format!("{seq}..{new_seq}"),
            ReplayItem::Resend { seq, address } => format!("{seq}{address}"),
        };
        sent.replay(begin, end).map(text).collect()
    }

    #[test]
    fn numbers_without_an_address_are_filled_in_runs() {
        let mut sent = Sent::new();
        for (seq, address) in [(5, 'a'), (6, 'b'), (9, 'c')] {
            sent.note(seq, address, 100);
        }
        assert_eq!(steps(&sent, 2, 4), ["2..5"]);
        assert_eq!(steps(&sent, 2, 8), ["2..5", "5a", "6b", "7..9"]);
        assert_eq!(steps(&sent, 6, 11), ["6b", "7..9", "9c", "10..12"]);
        assert_eq!(steps(&sent, 9, 8), [""; 0]);
    }

    #[test]
    fn numbers_older_than_the_window_are_filled() {
        let mut sent = Sent::new();
        for seq in 1..=10 {
            sent.note(seq, 'x', 3);
        }
        assert_eq!(sent.addresses.len(), 3);
        assert_eq!(steps(&sent, 1, 9), ["1..8", "8x", "9x"]);
    }
}
