//! What a run prints and keeps: one table of claims for people, the raw figures as JSON for later comparison.
//!
//! Judging is done here, in one place: a claim carries its target and the median of its rounds decides.

use std::fmt::Write as _;
use std::path::Path;

use crate::jitter::Jitter;
use crate::machine::Machine;
use crate::sample::{Rounds, median};

/// Which side of a number is good.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Target {
    /// Does this figure reach it?
    fn met_by(self, measured: f64) -> bool {
        match self {
            Self::AtMost(limit) => measured <= limit,
            Self::AtLeast(limit) => measured >= limit,
        }
    }
}

/// How a claim's figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// One side of a run divided by the other.
    Ratio,
    /// A rate.
    PerSecond,
    /// A duration.
    Seconds,
    /// A short duration.
    Microseconds,
    /// A size.
    Bytes,
}

impl Unit {
    /// The figure as the table shows it.
    fn show(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.2} ×"),
            Self::PerSecond => per_second(value),
            Self::Seconds => format!("{value:.2} s"),
            Self::Microseconds => format!("{value:.2} µs"),
            Self::Bytes => format!("{value:.0} B"),
        }
    }
}

/// A rate for people: `950/s`, `12.3 k/s`, `4.56 M/s`.
pub(crate) fn per_second(rate: f64) -> String {
    if rate >= 1e6 {
        format!("{:.2} M/s", rate / 1e6)
    } else if rate >= 1e3 {
        format!("{:.1} k/s", rate / 1e3)
    } else {
        format!("{rate:.0}/s")
    }
}

/// One line of what the project says about itself, and what was measured.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Claim {
    /// The part of the product.
    area: &'static str,
    /// What is measured, and against what.
    name: String,
    unit: Unit,
    /// The median over the rounds.
    measured: f64,
    target: Target,
    met: bool,
    /// The figure of every round.
    rounds: Vec<f64>,
    /// Both sides of every round, where the figure is a ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    sides: Option<Rounds>,
    /// What stands beside it, for people.
    beside: Vec<String>,
    /// What stands beside it, for machines.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    raw: serde_json::Value,
}

impl Claim {
    /// A ratio of two sides measured in turns.
    pub(crate) fn ratio(area: &'static str, name: impl Into<String>, sides: Rounds, target: Target) -> Self {
        let mut claim = Self::figure(area, name, Unit::Ratio, sides.ratios(), target);
        claim.sides = Some(sides);
        claim
    }

    /// A figure that stands by itself, measured at least once.
    pub(crate) fn figure(
        area: &'static str,
        name: impl Into<String>,
        unit: Unit,
        rounds: Vec<f64>,
        target: Target,
    ) -> Self {
        let measured = median(&rounds);
        Self {
            area,
            name: name.into(),
            unit,
            measured,
            target,
            met: target.met_by(measured),
            rounds,
            sides: None,
            beside: Vec::new(),
            raw: serde_json::Value::Null,
        }
    }

    /// Adds a line that is printed beneath.
    pub(crate) fn beside(mut self, line: impl Into<String>) -> Self {
        self.beside.push(line.into());
        self
    }

    /// Adds figures that only the JSON keeps.
    pub(crate) fn raw(mut self, raw: impl serde::Serialize) -> Self {
        self.raw = serde_json::to_value(raw).unwrap_or_default();
        self
    }
}

/// Everything one run found.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Report {
    /// Where it ran.
    pub(crate) machine: Machine,
    /// How quiet that machine was.
    pub(crate) jitter: Jitter,
    /// Seconds each side of a round was measured for.
    pub(crate) seconds: f64,
    /// What was measured.
    pub(crate) claims: Vec<Claim>,
    /// Parts that could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

impl Report {
    /// Were all parts measured, and every target reached?
    pub(crate) fn all_met(&self) -> bool {
        self.failures.is_empty() && self.claims.iter().all(|claim| claim.met)
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let width = self.claims.iter().map(|claim| claim.name.chars().count()).max().unwrap_or(0).max(40);
        let mut out = format!("\n{}\n{}\n\n", self.machine, self.jitter);
        let _ = writeln!(out, "{:<8} {:<width$} {:>11}  {:>16}", "area", "claim", "measured", "target");
        let _ = writeln!(out, "{}", "─".repeat(width + 48));
        let mut area = "";
        for claim in &self.claims {
            let shown = if claim.area == area { "" } else { claim.area };
            area = claim.area;
            let target = match claim.target {
                Target::AtMost(limit) => format!("≤ {}", claim.unit.show(limit)),
                Target::AtLeast(limit) => format!("≥ {}", claim.unit.show(limit)),
            };
            let verdict = if claim.met { "met" } else { "NOT MET" };
            let measured = claim.unit.show(claim.measured);
            let _ =
                writeln!(out, "{shown:<8} {:<width$} {measured:>11}  {target:>16}  {verdict}", claim.name);
            for line in &claim.beside {
                let _ = writeln!(out, "{:<8}   {line}", "");
            }
            if let [_, _, ..] = claim.rounds[..] {
                let least = claim.rounds.iter().copied().fold(f64::INFINITY, f64::min);
                let most = claim.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let (least, most) = (claim.unit.show(least), claim.unit.show(most));
                let _ = writeln!(out, "{:<8}   {} rounds: {least} … {most}", "", claim.rounds.len());
            }
        }
        let met = self.claims.iter().filter(|claim| claim.met).count();
        let _ = writeln!(out, "\n{met} of {} targets met.", self.claims.len());
        for failure in &self.failures {
            let _ = writeln!(out, "Not measured: {failure}");
        }
        out
    }

    /// Writes the raw figures, readable and stable enough to be compared by `diff`.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        use anyhow::Context as _;
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_on_its_edge_and_on_the_right_side_only() {
        assert!(Target::AtMost(1.3).met_by(1.3) && !Target::AtMost(1.3).met_by(1.31));
        assert!(Target::AtLeast(0.6).met_by(0.6) && !Target::AtLeast(0.6).met_by(0.59));
    }

    #[test]
    fn the_median_round_decides() {
        let sides = Rounds { subject: vec![10.0, 10.0, 90.0], control: vec![10.0, 10.0, 10.0] };
        let claim = Claim::ratio("log", "x", sides, Target::AtMost(1.0));
        assert!(claim.met);
        assert_eq!(claim.rounds, [1.0, 1.0, 9.0]);
    }

    #[test]
    fn rates_are_written_for_people() {
        assert_eq!(per_second(950.4), "950/s");
        assert_eq!(per_second(12_345.0), "12.3 k/s");
        assert_eq!(per_second(4_560_000.0), "4.56 M/s");
    }
}
