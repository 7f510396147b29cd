//! Growing one tree: the leaf whose best split gains most is split next.

use super::Settings;
use super::bins::{Binned, MISSING};
use super::forest::Node;

/// The least sum of second derivatives on either side of a split.
const LEAST_BEND: f64 = 1e-3;

/// Sums over rows: how many, first and second derivatives.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    rows: u32,
    slope: f64,
    bend: f64,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.rows += other.rows;
        self.slope += other.slope;
        self.bend += other.bend;
    }

    fn less(self, other: Sum) -> Sum {
        Sum { rows: self.rows - other.rows, slope: self.slope - other.slope, bend: self.bend - other.bend }
    }

    /// Twice the loss that a leaf of these rows takes away.
    fn gain(self, penalty: f64) -> f64 {
        self.slope * self.slope / (self.bend + penalty + f64::MIN_POSITIVE)
    }
}

/// 256 bins for each feature.
type Histogram = Vec<[Sum; 256]>;

/// The best way to split a leaf.
#[derive(Clone, Copy, Debug)]
struct Split {
    gain: f64,
    feature: usize,
    bin: u8,
    missing_below: bool,
}

/// A leaf that may be split.
struct Leaf {
    node: usize,
    rows: Vec<usize>,
    sum: Sum,
    histogram: Histogram,
    best: Option<Split>,
}

/// What a tree is grown from.
pub(super) struct Grower<'a> {
    binned: &'a Binned,
    slopes: &'a [(f64, f64)],
    settings: &'a Settings,
    features: Vec<usize>,
    rows: Vec<usize>,
}

/// A node of a tree that still grows.
enum Growing {
    Leaf(f32),
    Split { split: Split, below: usize, above: usize },
}

impl<'a> Grower<'a> {
    pub(super) fn new(
        binned: &'a Binned,
        slopes: &'a [(f64, f64)],
        settings: &'a Settings,
        features: Vec<usize>,
        rows: Vec<usize>,
    ) -> Grower<'a> {
        Grower { binned, slopes, settings, features, rows }
    }

    /// A tree; nothing when no split is worth it.
    pub(super) fn grow(&mut self) -> Option<Vec<Node>> {
        let rows = std::mem::take(&mut self.rows);
        let histogram = self.histogram(&rows);
        let root = self.leaf(0, rows, histogram);
        root.best?;
        let mut nodes = vec![Growing::Leaf(self.say(root.sum))];
        let mut leaves = vec![root];
        while leaves.len() < self.settings.leaves {
            let worth = leaves.iter().enumerate().filter_map(|(place, leaf)| Some((place, leaf.best?)));
            // The first of the best, so that equals do not depend on anything else.
            let best = worth.reduce(|one, other| if other.1.gain > one.1.gain { other } else { one });
            let Some((place, split)) = best else { break };
            let leaf = leaves.remove(place);
            let (node, below, above) = (leaf.node, nodes.len(), nodes.len() + 1);
            let [low, high] = self.divide(leaf, split, below, above);
            nodes[node] = Growing::Split { split, below, above };
            nodes.extend([low.sum, high.sum].map(|sum| Growing::Leaf(self.say(sum))));
            leaves.extend([low, high]);
        }
        Some(self.finish(&nodes))
    }

    /// What a leaf of these rows says.
    #[expect(clippy::cast_possible_truncation, reason = "what a leaf says is small")]
    fn say(&self, sum: Sum) -> f32 {
        let step = -sum.slope / (sum.bend + self.settings.penalty + f64::MIN_POSITIVE);
        (self.settings.rate * step).clamp(-1e5, 1e5) as f32
    }

    fn finish(&self, nodes: &[Growing]) -> Vec<Node> {
        let short = |place: usize| u16::try_from(place).expect("at most 511 nodes");
        let one = |node: &Growing| match node {
            Growing::Leaf(number) => Node::leaf(*number),
            Growing::Split { split, below, above } => {
                let number = self.binned.bounds[split.feature][usize::from(split.bin)];
                Node::split(short(split.feature), number, short(*below), short(*above), split.missing_below)
            }
        };
        nodes.iter().map(one).collect()
    }

    fn histogram(&self, rows: &[usize]) -> Histogram {
        let one = |feature: &usize| {
            let column = &self.binned.columns[*feature];
            let mut bins = [Sum::default(); 256];
            for row in rows {
                let (slope, bend) = self.slopes[*row];
                bins[usize::from(column[*row])].add(Sum { rows: 1, slope, bend });
            }
            bins
        };
        self.features.iter().map(one).collect()
    }

    fn leaf(&self, node: usize, rows: Vec<usize>, histogram: Histogram) -> Leaf {
        let mut sum = Sum::default();
        for row in &rows {
            let (slope, bend) = self.slopes[*row];
            sum.add(Sum { rows: 1, slope, bend });
        }
        let best = self.best(sum, &histogram);
        Leaf { node, rows, sum, histogram, best }
    }

    /// Divides a leaf; the larger part's sums are the whole's less the smaller's.
    fn divide(&self, leaf: Leaf, split: Split, below: usize, above: usize) -> [Leaf; 2] {
        let column = &self.binned.columns[split.feature];
        let goes_below = |row: &usize| match column[*row] {
            MISSING => split.missing_below,
            bin => bin <= split.bin,
        };
        let (low, high): (Vec<usize>, Vec<usize>) = leaf.rows.into_iter().partition(goes_below);
        let small = self.histogram(if low.len() <= high.len() { &low } else { &high });
        let less = |(whole, part): (&[Sum; 256], &[Sum; 256])| {
            std::array::from_fn::<_, 256, _>(|bin| whole[bin].less(part[bin]))
        };
        let large: Histogram = leaf.histogram.iter().zip(&small).map(less).collect();
        let (one, other) = if low.len() <= high.len() { (small, large) } else { (large, small) };
        [self.leaf(below, low, one), self.leaf(above, high, other)]
    }

    fn best(&self, sum: Sum, histogram: &Histogram) -> Option<Split> {
        let mut best: Option<Split> = None;
        for (bins, feature) in histogram.iter().zip(&self.features) {
            let missing = bins[usize::from(MISSING)];
            for missing_below in [false, true] {
                if missing_below && missing.rows == 0 {
                    continue;
                }
                let mut low = if missing_below { missing } else { Sum::default() };
                for (bin, sum_of_bin) in bins.iter().enumerate().take(self.binned.bounds[*feature].len()) {
                    low.add(*sum_of_bin);
                    let gain = self.gain(sum, low);
                    if gain > best.map_or(1e-7, |best| best.gain) {
                        let bin = u8::try_from(bin).expect("at most 254 bounds");
                        best = Some(Split { gain, feature: *feature, bin, missing_below });
                    }
                }
            }
        }
        best
    }

    /// What is gained by a split; nothing where a side is too small.
    fn gain(&self, sum: Sum, low: Sum) -> f64 {
        let high = sum.less(low);
        let enough = |side: Sum| side.rows as usize >= self.settings.leaf_rows && side.bend >= LEAST_BEND;
        if !enough(low) || !enough(high) {
            return 0.0;
        }
        let penalty = self.settings.penalty;
        low.gain(penalty) + high.gain(penalty) - sum.gain(penalty)
    }
}
