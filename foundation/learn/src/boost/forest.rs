//! Trees as one row of nodes, and the way of a row through them.

use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::sabotage::{self, Sabotage};

/// The most trees, and nodes of all of them.
const TREES: usize = 1_000;
const NODES: usize = 100_000;
/// What stands for a feature where a tree ends.
const LEAF: u16 = u16::MAX;

/// A question, or the end of a tree. Answers lead to later nodes, so every way ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Which feature is asked about.
    feature: u16,
    /// Up to this a value goes below; at the end of a tree, what is said.
    number: f32,
    /// Where it goes on below, as a number of nodes of the same tree.
    below: u16,
    /// Where it goes on above.
    above: u16,
    /// Missing values go below.
    missing_below: bool,
}

impl Node {
    pub(super) fn leaf(number: f32) -> Node {
        Node { feature: LEAF, number, below: 0, above: 0, missing_below: false }
    }

    pub(super) fn split(feature: u16, number: f32, below: u16, above: u16, missing_below: bool) -> Node {
        Node { feature, number, below, above, missing_below }
    }
}

/// What the tree says of a row.
pub(super) fn walk(tree: &[Node], row: &[f32]) -> f64 {
    let mut place = 0_u16;
    loop {
        let node = &tree[usize::from(place)];
        if node.feature == LEAF {
            return f64::from(node.number);
        }
        let value = row.get(usize::from(node.feature)).copied().unwrap_or(f32::NAN);
        let below = match value.is_nan() {
            true => node.missing_below || sabotage::lacks(Sabotage::Missing),
            false => value <= node.number,
        };
        place = if below { node.below } else { node.above };
    }
}

/// Log-odds as a sum of what trees say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forest {
    base: f64,
    /// Where each tree ends among the nodes.
    ends: Vec<u32>,
    nodes: Vec<Node>,
}

impl Forest {
    pub(super) fn new(base: f64) -> Forest {
        Forest { base, ends: Vec::new(), nodes: Vec::new() }
    }

    pub(super) fn push(&mut self, tree: &[Node]) {
        if self.nodes.len() + tree.len() <= NODES {
            self.nodes.extend_from_slice(tree);
            self.ends.push(u32::try_from(self.nodes.len()).expect("at most 100,000 nodes"));
        }
    }

    pub(crate) fn margin(&self, row: &[f32]) -> f64 {
        let (mut margin, mut start) = (self.base, 0);
        for end in &self.ends {
            let end = *end as usize;
            margin += walk(&self.nodes[start..end], row);
            start = end;
        }
        margin
    }

    pub(crate) fn check(&self, width: usize) -> Result<(), ModelError> {
        let malformed = |what| Err(ModelError::Malformed(what));
        if !self.base.is_finite() || self.base.abs() > 1e6 {
            return malformed("its base is no number, or too large");
        }
        if self.ends.len() > TREES || self.nodes.len() > NODES {
            return malformed("it has too many trees or nodes");
        }
        if self.ends.last().map_or(0, |end| *end as usize) != self.nodes.len() {
            return malformed("its trees do not end where its nodes do");
        }
        let mut start = 0;
        for end in &self.ends {
            let end = *end as usize;
            let Some(tree) = self.nodes.get(start..end).filter(|tree| !tree.is_empty()) else {
                return malformed("a tree ends before it begins");
            };
            check_tree(tree, width).map_err(ModelError::Malformed)?;
            start = end;
        }
        Ok(())
    }
}

fn check_tree(tree: &[Node], width: usize) -> Result<(), &'static str> {
    for (place, node) in tree.iter().enumerate() {
        if !node.number.is_finite() || node.feature == LEAF && node.number.abs() > 1e6 {
            return Err("a node's number is none, or too large");
        }
        let onward = |to: u16| usize::from(to) > place && usize::from(to) < tree.len();
        if node.feature != LEAF && !(onward(node.below) && onward(node.above)) {
            return Err("an answer leads nowhere, or back");
        }
        if node.feature != LEAF && usize::from(node.feature) >= width {
            return Err("a question is about a feature that there is not");
        }
    }
    Ok(())
}
