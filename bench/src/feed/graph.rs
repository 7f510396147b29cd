//! A social graph whose follower counts follow Zipf's law: few have very many, most have few.

use decalog_feed::value::AccountId;
use decalog_runtime::Timestamp;
use decalog_runtime::bucket::{IdMaker, bucket_of};

/// Who follows whom. People are numbers, the most followed first.
pub(super) struct Graph {
    /// Each one's account.
    pub(super) accounts: Vec<AccountId>,
    /// How many follow each.
    followers: Vec<u32>,
}

impl Graph {
    /// So many people, each followed by `mean` others on average: the one of rank k by 1/k of what the first would have,
    /// nobody by more than there are.
    pub(super) fn zipf(people: u32, mean: u32) -> Graph {
        let wanted = u64::from(people) * u64::from(mean);
        let counts =
            |first: u64| (1..=u64::from(people)).map(move |rank| (first / rank).min(u64::from(people) - 1));
        let (mut low, mut high) = (0, wanted);
        while low + 1 < high {
            let middle = low.midpoint(high);
            if counts(middle).sum::<u64>() > wanted { high = middle } else { low = middle }
        }
        Graph::new(counts(low).map(|count| u32::try_from(count).unwrap_or(people - 1)).collect())
    }

    /// As many people as there are counts, each followed by so many others.
    pub(super) fn new(followers: Vec<u32>) -> Graph {
        let mut maker = IdMaker::default();
        let account = |number: u32| {
            let id = maker.next(Timestamp(START), bucket_of(name(number).as_bytes()));
            AccountId(id.0)
        };
        let people = u32::try_from(followers.len()).unwrap_or(u32::MAX);
        Graph { accounts: (0..people).map(account).collect(), followers }
    }

    /// How many people there are.
    pub(super) fn people(&self) -> u32 {
        u32::try_from(self.accounts.len()).unwrap_or(u32::MAX)
    }

    /// How many follow somebody.
    pub(super) fn fan_out(&self, author: u32) -> u32 {
        self.followers[author as usize]
    }

    /// Who follows somebody: each once, spread over all, never the author.
    pub(super) fn followers(&self, author: u32) -> impl Iterator<Item = u32> {
        let people = u64::from(self.people());
        // A stride without a common divisor visits everybody once; each author has another one.
        let stride =
            (u64::from(author) * 7_919 + 12_289..).find(|stride| gcd(*stride, people) == 1).unwrap_or(1);
        let place = move |step: u32| (u64::from(author) + stride * (u64::from(step) + 1)) % people;
        (0..self.fan_out(author)).map(move |step| u32::try_from(place(step)).unwrap_or(0))
    }

    /// Whom each one follows.
    pub(super) fn following(&self) -> Vec<Vec<u32>> {
        let mut following = vec![Vec::new(); self.accounts.len()];
        for author in 0..self.people() {
            self.followers(author).for_each(|reader| following[reader as usize].push(author));
        }
        following
    }
}

/// What somebody is called.
pub(super) fn name(number: u32) -> String {
    format!("person{number}")
}

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000_000;

fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_is_followed_by_so_many_others_once() {
        let graph = Graph::zipf(1_000, 20);
        let all: u32 = (0..1_000).map(|author| graph.fan_out(author)).sum();
        assert!((18_000..=20_000).contains(&all), "{all}");
        assert!(graph.fan_out(0) > 10 * graph.fan_out(99));
        for author in [0, 1, 7, 999] {
            let followers: BTreeSet<u32> = graph.followers(author).collect();
            assert_eq!(followers.len(), graph.fan_out(author) as usize);
            assert!(!followers.contains(&author));
        }
        let following = graph.following();
        assert!(graph.followers(3).all(|reader| following[reader as usize].contains(&3)));
    }
}
