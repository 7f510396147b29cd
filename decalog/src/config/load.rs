//! Reads the file and the environment into one tree, and gives every refusal its place.
//!
//! The text of each environment variable is put behind the file's, as if the file went on; so one span says
//! for every value where it was written.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::check;
use super::schema::Config;

/// Environment variables that override keys start with this; the path's parts are joined by two underscores.
const PREFIX: &str = "DECALOG__";

/// A checked configuration.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What it says.
    pub(crate) config: Config,
    /// The file it was read from, if any.
    pub(crate) file: Option<PathBuf>,
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}; check the path", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// A key or value is not allowed.
    #[error("{0}")]
    Refused(Box<Refusal>),
}

/// One refused key or value, and where it stands.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// `file:line` or the environment variable.
    place: String,
    /// The key's path, as in `exchange.fix.listen`.
    key: String,
    /// The value as written, shortened; nothing when a key is missing or unknown.
    value: Option<String>,
    /// What is wrong, and what is allowed.
    reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}", self.key)?;
            match &self.value {
                Some(value) => write!(f, " = {value}: ")?,
                None => f.write_str(": ")?,
            }
        }
        f.write_str(&self.reason)
    }
}

/// Reads `file` (or only defaults without one), lets `environment` override it, and checks the result.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?,
        None => String::new(),
    };
    let source = Source::new(file, text, environment);
    let config = source.parse().map_err(|refusal| ConfigError::Refused(Box::new(refusal)))?;
    Ok(Loaded { config, file: file.map(Path::to_owned) })
}

/// Parses a configuration that is part of the program.
///
/// # Panics
/// When it is wrong, which a test would have shown.
pub(crate) fn parse_builtin(name: &str, text: &str) -> Config {
    let source = Source::new(Some(Path::new(name)), text.to_owned(), []);
    source.parse().unwrap_or_else(|refusal| panic!("built-in configuration: {refusal}"))
}

/// Where one part of the joined text came from.
struct Origin {
    name: String,
    /// The key an environment variable stands for; empty for the file.
    key: Vec<String>,
    range: Range<usize>,
}

/// The joined text: the file, then one piece for each environment variable.
struct Source {
    text: String,
    origins: Vec<Origin>,
}

impl Source {
    fn new(
        file: Option<&Path>,
        text: String,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let name = file.map_or_else(|| "(defaults)".to_owned(), |path| path.display().to_string());
        let mut source = Self { origins: vec![Origin { name, key: Vec::new(), range: 0..text.len() }], text };
        let mut variables: Vec<_> =
            environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (name, value) in variables {
            let key = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
            let start = source.text.len() + 1;
            source.text.push('\n');
            source.text.push_str(&value);
            source.origins.push(Origin { name, key, range: start..source.text.len() });
        }
        source
    }

    /// Parses, overrides, deserialises and checks.
    fn parse(&self) -> Result<Config, Refusal> {
        let file = &self.text[self.origins[0].range.clone()];
        let mut tree = DeTable::parse(file).map_err(|error| self.refusal(None, &error))?;
        for origin in &self.origins[1..] {
            self.override_key(tree.get_mut(), origin)?;
        }
        let config = Config::deserialize(Deserializer::from(tree.clone()))
            .map_err(|error| self.refusal(Some(tree.get_ref()), &error))?;
        match check::check(&config) {
            Ok(()) => Ok(config),
            Err((path, reason)) => {
                let span = lookup(tree.get_ref(), &path);
                Err(self.refusal_at(Some(tree.get_ref()), span, &reason, Some(&path.join("."))))
            }
        }
    }

    /// Puts one environment variable's value into the tree. Only keys of plain tables can be set so.
    fn override_key<'s>(&'s self, tree: &mut DeTable<'s>, origin: &'s Origin) -> Result<(), Refusal> {
        let raw = &self.text[origin.range.clone()];
        let is_plain = |value: &DeValue<'_>| value.is_str() || value.is_integer() || value.is_bool();
        let parsed = DeValue::parse(raw).ok().map(Spanned::into_inner).filter(is_plain);
        let value = parsed.unwrap_or_else(|| DeValue::String(raw.into()));
        let refuse = |reason: &str| Refusal {
            place: origin.name.clone(),
            key: origin.key.join("."),
            value: None,
            reason: reason.to_owned(),
        };
        let (last, parents) = origin.key.split_last().ok_or_else(|| refuse("names no key"))?;
        let mut table = tree;
        for part in parents {
            let entry = table
                .entry(Spanned::new(origin.range.clone(), part.as_str().into()))
                .or_insert_with(|| Spanned::new(origin.range.clone(), DeValue::Table(DeTable::new())));
            table = match entry.get_mut() {
                DeValue::Table(table) => table,
                _ => return Err(refuse("only keys of plain sections can be set by the environment")),
            };
        }
        table.insert(
            Spanned::new(origin.range.clone(), last.as_str().into()),
            Spanned::new(origin.range.clone(), value),
        );
        Ok(())
    }

    fn refusal(&self, tree: Option<&DeTable<'_>>, error: &toml::de::Error) -> Refusal {
        self.refusal_at(tree, error.span(), error.message(), None)
    }

    fn refusal_at(
        &self,
        tree: Option<&DeTable<'_>>,
        span: Option<Range<usize>>,
        reason: &str,
        path: Option<&str>,
    ) -> Refusal {
        let span = span.unwrap_or(0..0);
        let origin = self.origins.iter().rev().find(|origin| origin.range.start <= span.start);
        let origin = origin.unwrap_or(&self.origins[0]);
        let in_file = origin.key.is_empty();
        let place = if in_file {
            let line = self.text[..span.start.min(self.text.len())].matches('\n').count() + 1;
            format!("{}:{line}", origin.name)
        } else {
            origin.name.clone()
        };
        let found = tree.and_then(|tree| locate(tree, &span));
        let key = match (path, &found) {
            (Some(path), _) => path.to_owned(),
            (None, Some(found)) => found.path.join("."),
            (None, None) => String::new(),
        };
        let shows_value = found.is_some_and(|found| found.is_scalar)
            && !key.ends_with("password_hash")
            && !key.ends_with("secret");
        let value = shows_value.then(|| self.text[span].chars().take(80).collect());
        Refusal { place, key, value, reason: reason.trim_end().replace('\n', ", ") }
    }
}

/// A value found by its span.
struct Found {
    path: Vec<String>,
    is_scalar: bool,
}

/// The deepest value (or key) whose span is the given one, else the deepest table around it.
fn locate(table: &DeTable<'_>, span: &Range<usize>) -> Option<Found> {
    for (key, value) in table {
        let name = key.get_ref().to_string();
        if key.span() == *span && value.span() != *span {
            return Some(Found { path: vec![name], is_scalar: false });
        }
        if let Some(mut found) = locate_value(value, span) {
            found.path.insert(0, name);
            return Some(found);
        }
    }
    None
}

fn locate_value(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<Found> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => locate(table, span),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, value)| {
            let mut found = locate_value(value, span)?;
            found.path.insert(0, (index + 1).to_string());
            Some(found)
        }),
        _ => None,
    };
    let is_scalar = !matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
    inner.or_else(|| (value.span() == *span).then(|| Found { path: Vec::new(), is_scalar }))
}

/// The span of the value at a path (array places count from 1), or of its closest ancestor.
fn lookup(table: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let value = table.get(first.as_str())?;
    Some(lookup_value(value, rest))
}

fn lookup_value(value: &Spanned<DeValue<'_>>, path: &[String]) -> Range<usize> {
    let inner = path.split_first().and_then(|(first, rest)| match value.get_ref() {
        DeValue::Table(table) => table.get(first.as_str()).map(|value| lookup_value(value, rest)),
        DeValue::Array(array) => {
            let index = first.parse::<usize>().ok()?.checked_sub(1)?;
            array.get(index).map(|value| lookup_value(value, rest))
        }
        _ => None,
    });
    inner.unwrap_or_else(|| value.span())
}

#[cfg(test)]
mod tests;
