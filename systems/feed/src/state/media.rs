//! Attachments: taken up first, then part of a post.

use serde::{Deserialize, Serialize};

use super::rows::{Rows, family, key};
use super::{Turn, refused};
use crate::command::{AddMedia, ChangeMedia, FinishMedia, Refusal, RemoveMedia, Reply};
use crate::value::{AccountId, ItemId, Media, PostId};

/// An attachment, and what it is part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaRow {
    /// What it is.
    pub media: Media,
    /// Its post; none yet.
    pub post: Option<PostId>,
}

fn media_key(account: AccountId, media: ItemId) -> Vec<u8> {
    key(family::MEDIA, [account.0, media.0])
}

impl Rows {
    pub(super) fn media(&self, account: AccountId, media: ItemId) -> Option<MediaRow> {
        self.get(&media_key(account, media))
    }
}

impl Turn<'_> {
    pub(super) fn add_media(&mut self, it: AddMedia) -> Reply {
        let AddMedia { account, kind, description } = it;
        let id = ItemId(self.next_id_of(account));
        let media =
            Media { id, kind, original: None, small: None, meta: String::new(), description, blurhash: None };
        self.rows.put(&media_key(account, id), &MediaRow { media, post: None });
        Reply::Made(id)
    }

    pub(super) fn change_media(&mut self, it: ChangeMedia) -> Reply {
        self.change(it.account, it.media, |media| {
            if let Some(description) = it.description {
                media.description = Some(description).filter(|words| !words.is_empty());
            }
            if let Some(meta) = it.meta {
                media.meta = meta;
            }
            if let Some(small) = it.small {
                media.small = Some(small);
            }
        })
    }

    pub(super) fn finish_media(&mut self, it: FinishMedia) -> Reply {
        self.change(it.account, it.media, |media| {
            (media.kind, media.original, media.small) = (it.kind, Some(it.original), it.small);
            (media.meta, media.blurhash) = (it.meta, it.blurhash);
        })
    }

    /// Changes an attachment that is of no post yet.
    fn change(&mut self, account: AccountId, id: ItemId, change: impl FnOnce(&mut Media)) -> Reply {
        match self.rows.media(account, id) {
            Some(MediaRow { mut media, post: None }) => {
                change(&mut media);
                self.rows.put(&media_key(account, id), &MediaRow { media, post: None });
                Reply::Made(id)
            }
            _ => refused(Refusal::NotFound),
        }
    }

    pub(super) fn remove_media(&mut self, it: RemoveMedia) -> Reply {
        match self.rows.media(it.account, it.media) {
            Some(MediaRow { post: None, .. }) => {
                self.forget_media(it.account, it.media);
                Reply::Done
            }
            _ => refused(Refusal::NotFound),
        }
    }

    /// Makes attachments part of a post. Each must be the author's, and of no other post.
    pub(super) fn attach(
        &mut self,
        account: AccountId,
        post: PostId,
        ids: &[ItemId],
    ) -> Result<Vec<Media>, Refusal> {
        let found = ids.iter().map(|id| {
            let row = self.rows.media(account, *id)?;
            row.post.is_none_or(|owner| owner == post).then_some(row.media)
        });
        let media = found.collect::<Option<Vec<Media>>>().ok_or(Refusal::NotFound)?;
        if media.iter().any(|media| media.original.is_none()) {
            return Err(Refusal::NotReady);
        }
        for media in &media {
            let row = MediaRow { media: media.clone(), post: Some(post) };
            self.rows.put(&media_key(account, media.id), &row);
        }
        Ok(media)
    }

    pub(super) fn forget_media(&mut self, account: AccountId, media: ItemId) {
        self.rows.remove(&media_key(account, media));
    }
}
