//! Learning from what was shown and what became of it: for each action the best of what is in use, a line and trees, by
//! how well it predicts what came last.

use decalog_learn::{Dataset, Model, boost, logistic, metric};

use super::{ACTIONS, Action, Bundle, FEATURES, Row};

/// A post that was shown, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// When it was shown.
    pub at: i64,
    /// What was known of it then.
    pub row: Row,
    /// Which actions followed, in the order of [`ACTIONS`].
    pub acted: [bool; ACTIONS.len()],
}

/// What is used for an action from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// What was in use: nothing is better, or too little is known.
    Kept,
    /// Logistic regression.
    Line,
    /// Boosted trees.
    Trees,
}

impl Chosen {
    /// The name that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Chosen::Kept => "kept",
            Chosen::Line => "logistic",
            Chosen::Trees => "boosted",
        }
    }
}

/// What was found out about an action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learned {
    /// Which.
    pub action: Action,
    /// What is used for it.
    pub chosen: Chosen,
    /// How often it followed, of all that was shown.
    pub came: usize,
    /// The log loss of what was in use, on what was held out.
    pub before: f64,
    /// The log loss of what is chosen.
    pub after: f64,
    /// The area under the curve of what is chosen, when both outcomes were held out.
    pub auc: Option<f64>,
}

/// Each outcome must have come so often for something to be learned.
const LEAST: usize = 10;
/// The last fifth is held out.
const HELD: usize = 5;

/// Learns from examples, the last of which are held out to choose by.
pub fn train(examples: &mut [Example], current: &Bundle) -> (Bundle, Vec<Learned>) {
    // Of one moment, by what is known: so the order of reading does not matter.
    examples
        .sort_by(|one, other| (one.at, &one.row.0, one.acted).cmp(&(other.at, &other.row.0, other.acted)));
    let mut learned = Vec::new();
    let models = std::array::from_fn(|place| {
        let (model, found) = one(examples, place, &current.models()[place]);
        learned.push(found);
        model
    });
    let bundle = Bundle::of(models).unwrap_or_else(|_| current.clone());
    (bundle, learned)
}

fn one(examples: &[Example], place: usize, current: &Model) -> (Model, Learned) {
    let mut data = Dataset::new(FEATURES).expect("the names of features");
    for example in examples {
        data.push(&example.row.values(), example.acted[place]).expect("a row of finite numbers");
    }
    let (learn, held) = data.split_at(examples.len() - examples.len() / HELD);
    let came = data.labels().iter().filter(|label| **label).count();
    let yes = learn.labels().iter().filter(|label| **label).count();
    let enough = yes >= LEAST && learn.len() - yes >= LEAST;
    let predicted = |model: &Model| held.rows().map(|row| model.predict(row)).collect::<Vec<_>>();
    let loss = |model: &Model| metric::log_loss(&predicted(model), held.labels()).unwrap_or(f64::INFINITY);
    let before = loss(current);
    let mut best = (before, Chosen::Kept, current.clone());
    let line = || logistic::train(&learn, &logistic::Settings::default()).ok();
    let trees = || boost::train(&learn, &settings(learn.len())).ok();
    let candidates: [(Chosen, &dyn Fn() -> Option<Model>); 2] =
        [(Chosen::Line, &line), (Chosen::Trees, &trees)];
    for (chosen, train) in candidates.iter().filter(|_| enough) {
        if let Some(model) = train() {
            let after = loss(&model);
            if after < best.0 {
                best = (after, *chosen, model);
            }
        }
    }
    let (after, chosen, model) = best;
    let auc = metric::auc(&predicted(&model), held.labels());
    (model, Learned { action: ACTIONS[place], chosen, came, before, after, auc })
}

/// Few leaves, so that all models fit a record; large ones, so that little data is not learned by heart.
fn settings(rows: usize) -> boost::Settings {
    let leaf_rows = (rows / 100).clamp(10, 200);
    boost::Settings { trees: 40, leaves: 12, leaf_rows, penalty: 1.0, ..boost::Settings::default() }
}
