//! Custom emoji: listed for everybody, shown where a text names them, made by who may administer.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::announcements::SERVER;
use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{RemoveEmoji, SetEmoji};
use crate::engine::emoji::{is_shortcode, shortcodes};
use crate::media::Shape;
use crate::state::Emoji;

impl Service {
    pub(crate) fn emoji_json(&self, emoji: &Emoji) -> Value {
        let url = emoji.files.first().map(|file| self.file_url(file, true));
        let still = emoji.files.last().map(|file| self.file_url(file, true));
        json!({
            "shortcode": emoji.shortcode,
            "url": url,
            "static_url": still,
            "visible_in_picker": emoji.listed,
            "category": emoji.category,
        })
    }

    /// The custom emoji that texts name.
    pub(crate) fn emojis_json<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Value {
        let names: BTreeSet<&str> = texts.into_iter().flat_map(shortcodes).collect();
        if names.is_empty() {
            return json!([]);
        }
        self.emojis.named(names).iter().map(|emoji| self.emoji_json(emoji)).collect()
    }
}

pub(super) async fn index(State(service): State<Shared>) -> Json<Value> {
    let all = service.emojis.all();
    Json(all.iter().filter(|emoji| emoji.listed).map(|emoji| service.emoji_json(emoji)).collect())
}

/// `POST /api/v1/admin/custom_emojis`: this server's own, as the API names no way to make one.
pub(super) async fn create(
    State(service): State<Shared>,
    me: Me,
    mut params: Params,
) -> Result<Json<Value>, Error> {
    let shortcode = params.words("shortcode").unwrap_or_default();
    if !is_shortcode(&shortcode) {
        return Err(Error::invalid("Shortcode has two or more letters, digits and underscores"));
    }
    let image = params.upload("image").ok_or_else(|| Error::invalid("Image can't be blank"))?;
    let files = service.portrait(&image, Shape::Emoji).await?;
    let category = params.words("category");
    let listed = params.flag("visible_in_picker").unwrap_or(true);
    let emoji =
        Emoji { shortcode: shortcode.clone(), files: files.clone(), category: category.clone(), listed };
    service.ask(me.id, SERVER, SetEmoji { shortcode, files, category, listed }).await?;
    service.emojis.set(&emoji.shortcode, Some(emoji.clone()));
    Ok(Json(service.emoji_json(&emoji)))
}

pub(super) async fn remove(
    State(service): State<Shared>,
    Path(shortcode): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    service.ask(me.id, SERVER, RemoveEmoji { shortcode: shortcode.clone() }).await?;
    service.emojis.set(&shortcode, None);
    Ok(Json(json!({})))
}
