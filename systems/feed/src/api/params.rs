//! Parameters, wherever a client puts them: the query, a form, a multipart form or JSON. All become one tree, as the
//! server that clients were written for makes it: `poll[options][]=a`, `fields_attributes[0][name]=b`.

use std::path::PathBuf;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use serde_json::{Map, Value};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::error::Error;
use super::service::{Shared, no_room};
use crate::value::{AccountId, ItemId, PostId};

/// The largest body that is no file.
const LONGEST: usize = 512 * 1024;
/// How deep and how wide a tree may be.
const DEEPEST: usize = 4;
const WIDEST: usize = 2_000;

/// A file that was sent along, on disk until it is dropped.
#[derive(Debug)]
pub(crate) struct Upload {
    /// The field's name.
    pub(crate) field: String,
    /// Its bytes.
    pub(crate) file: NamedTempFile,
    /// How many.
    pub(crate) bytes: u64,
}

impl Upload {
    /// Where it lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }
}

/// What a request says.
#[derive(Debug, Default)]
pub(crate) struct Params {
    tree: Map<String, Value>,
    /// Files, with multipart forms only.
    pub(crate) uploads: Vec<Upload>,
}

impl FromRequest<Shared> for Params {
    type Rejection = Error;

    async fn from_request(request: Request, service: &Shared) -> Result<Params, Error> {
        let mut params = Params::default();
        if let Some(query) = request.uri().query() {
            params.read_form(query.as_bytes())?;
        }
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "multipart/form-data" => {
                let form = Multipart::from_request(request, service).await;
                let form = form.map_err(|error| Error::new(StatusCode::BAD_REQUEST, error.to_string()))?;
                params.read_multipart(form, service).await?;
            }
            "application/json" => {
                let bytes = body(request).await?;
                if !bytes.is_empty() {
                    match serde_json::from_slice(&bytes) {
                        Ok(Value::Object(tree)) => params.tree.extend(tree),
                        _ => return Err(Error::new(StatusCode::BAD_REQUEST, "The body is no JSON object")),
                    }
                }
            }
            _ => {
                let bytes = body(request).await?;
                params.read_form(&bytes)?;
            }
        }
        Ok(params)
    }
}

async fn body(request: Request) -> Result<axum::body::Bytes, Error> {
    let large = |_| Error::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large");
    to_bytes(request.into_body(), LONGEST).await.map_err(large)
}

impl Params {
    /// Those of a JSON object.
    pub(crate) fn of(tree: Map<String, Value>) -> Params {
        Params { tree, uploads: Vec::new() }
    }

    fn read_form(&mut self, form: &[u8]) -> Result<(), Error> {
        for (count, (name, value)) in form_urlencoded::parse(form).enumerate() {
            if count >= WIDEST {
                return Err(Error::new(StatusCode::BAD_REQUEST, "Too many parameters"));
            }
            self.set(&name, Value::String(value.into_owned()));
        }
        Ok(())
    }

    async fn read_multipart(&mut self, mut form: Multipart, service: &Shared) -> Result<(), Error> {
        let broken =
            |error: axum::extract::multipart::MultipartError| Error::new(error.status(), error.body_text());
        let mut count = 0;
        while let Some(mut field) = form.next_field().await.map_err(broken)? {
            count += 1;
            if count > WIDEST {
                return Err(Error::new(StatusCode::BAD_REQUEST, "Too many parts"));
            }
            let name = field.name().unwrap_or_default().to_owned();
            if field.file_name().is_none() {
                let mut text = Vec::new();
                while let Some(chunk) = field.chunk().await.map_err(broken)? {
                    text.extend_from_slice(&chunk);
                    if text.len() > LONGEST {
                        return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, "A part is too large"));
                    }
                }
                self.set(&name, Value::String(String::from_utf8_lossy(&text).into_owned()));
                continue;
            }
            let file = service.upload()?;
            let mut open = tokio::fs::File::from_std(file.reopen().map_err(no_room)?);
            let mut bytes = 0;
            while let Some(chunk) = field.chunk().await.map_err(broken)? {
                bytes += chunk.len() as u64;
                open.write_all(&chunk).await.map_err(no_room)?;
            }
            open.flush().await.map_err(no_room)?;
            self.uploads.push(Upload { field: name, file, bytes });
        }
        Ok(())
    }

    /// Puts `a[b][]` where it belongs.
    fn set(&mut self, name: &str, value: Value) {
        let (first, rest) = name.split_once('[').map_or((name, ""), |(first, rest)| (first, rest));
        let path: Vec<&str> =
            rest.split('[').filter(|_| !rest.is_empty()).map(|step| step.trim_end_matches(']')).collect();
        if path.len() > DEEPEST {
            return;
        }
        let place = self.tree.entry(first).or_insert(Value::Null);
        put(place, &path, value);
    }

    /// A text; numbers and truths count as such, too.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text_of(self.tree.get(name)?)
    }

    /// A text that says something.
    pub(crate) fn words(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// A truth.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        truth(self.tree.get(name)?)
    }

    /// A truth that is `false` unless said otherwise.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.flag(name).unwrap_or(false)
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// Texts, of a list or of one.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        self.tree.get(name).map(texts)
    }

    /// The parameters within an object.
    pub(crate) fn within(&self, name: &str) -> Option<Params> {
        match self.tree.get(name)? {
            Value::Object(tree) => Some(Params::of(tree.clone())),
            _ => None,
        }
    }

    /// The objects of a list, also of one with numbers for keys.
    pub(crate) fn objects(&self, name: &str) -> Option<Vec<Params>> {
        let values: Vec<&Value> = match self.tree.get(name)? {
            Value::Array(values) => values.iter().collect(),
            Value::Object(values) => {
                let mut numbered: Vec<(u64, &Value)> =
                    values.iter().map(|(key, value)| (key.parse().unwrap_or(u64::MAX), value)).collect();
                numbered.sort_by_key(|(key, _)| *key);
                numbered.into_iter().map(|(_, value)| value).collect()
            }
            _ => return None,
        };
        let one = |value: &Value| match value {
            Value::Object(tree) => Some(Params::of(tree.clone())),
            _ => None,
        };
        Some(values.into_iter().filter_map(one).collect())
    }

    /// Whether there is a parameter of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tree.contains_key(name)
    }

    /// Ids of accounts; what can be none names nobody.
    pub(crate) fn accounts(&self, name: &str) -> Vec<AccountId> {
        self.list(name).unwrap_or_default().iter().filter_map(|id| AccountId::parse(id)).collect()
    }

    /// The id of a post.
    pub(crate) fn post(&self, name: &str) -> Option<PostId> {
        self.words(name).and_then(|id| PostId::parse(&id))
    }

    /// Ids of other things.
    pub(crate) fn items(&self, name: &str) -> Vec<ItemId> {
        self.list(name).unwrap_or_default().iter().filter_map(|id| ItemId::parse(id)).collect()
    }

    /// The file of a field.
    pub(crate) fn upload(&mut self, field: &str) -> Option<Upload> {
        let place = self.uploads.iter().position(|upload| upload.field == field && upload.bytes > 0)?;
        Some(self.uploads.swap_remove(place))
    }
}

fn put(place: &mut Value, path: &[&str], value: Value) {
    match path {
        [] => *place = value,
        ["", rest @ ..] => {
            if !place.is_array() {
                *place = Value::Array(Vec::new());
            }
            let Value::Array(list) = place else { return };
            if list.len() >= WIDEST {
                return;
            }
            // `a[][b]=1&a[][c]=2` is one object until a key comes again.
            let fits = |last: &Value| matches!((last, rest.first()), (Value::Object(object), Some(key)) if !object.contains_key(*key));
            if rest.is_empty() || !list.last().is_some_and(fits) {
                list.push(Value::Null);
            }
            if let Some(last) = list.last_mut() {
                put(last, rest, value);
            }
        }
        [key, rest @ ..] => {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            if let Value::Object(object) = place {
                put(object.entry(*key).or_insert(Value::Null), rest, value);
            }
        }
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        // Some clients nest a list once too often.
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().filter_map(text_of).collect(),
        one => text_of(one).into_iter().collect(),
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Null => None,
        other => {
            let text = text_of(other)?;
            (!text.is_empty())
                .then(|| !matches!(text.to_ascii_lowercase().as_str(), "0" | "f" | "false" | "off" | "no"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Params {
        let mut params = Params::default();
        params.read_form(form.as_bytes()).unwrap();
        params
    }

    #[test]
    fn forms_become_trees() {
        let params = read(
            "poll[options][]=a&poll[options][]=b&poll[expires_in]=60&f[0][name]=n&f[0][value]=v&f[1][name]=m",
        );
        let poll = params.within("poll").unwrap();
        assert_eq!(poll.list("options").unwrap(), ["a", "b"]);
        assert_eq!(poll.number("expires_in"), Some(60));
        let fields = params.objects("f").unwrap();
        assert_eq!((fields[0].text("value"), fields[1].text("name")), (Some("v".into()), Some("m".into())));
        let keywords = read("k[][keyword]=a&k[][whole_word]=true&k[][keyword]=b");
        let keywords = keywords.objects("k").unwrap();
        assert_eq!((keywords.len(), keywords[0].flag("whole_word")), (2, Some(true)));
    }

    #[test]
    fn strange_names_harm_nobody() {
        for form in ["[=1", "a[=1", "a]=1", "[]=1", "a[][][][][][][][]=1", "a=1&a[b]=2&a[]=3", "a[b&a[b]c=1"]
        {
            read(form);
        }
    }
}
