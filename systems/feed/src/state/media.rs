//! Attachments: taken up first, then part of a post.

use serde::{Deserialize, Serialize};

use decalog_runtime::tables::{Order, end_of};

use super::due::Due;
use super::rows::{Rows, family, key, last_number};
use super::{Account, Emoji, Feed, Scheduled, Turn, refused};
use crate::command::{AddMedia, ChangeMedia, FinishMedia, Refusal, RemoveMedia, Reply};
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, File, ItemId, Media, PostId, SECOND, Upload};

/// How long an attachment may wait for its post.
const WAITS: i64 = 24 * 3_600 * SECOND;
/// The families whose rows name files. A post's attachments are rows of their own, also those of its revisions.
const WITH_FILES: [u8; 4] = [family::ACCOUNT, family::MEDIA, family::SCHEDULED, family::NOTICE];

/// An attachment, and what it is part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaRow {
    /// What it is.
    pub media: Media,
    /// Its post; none yet, or none any more.
    pub post: Option<PostId>,
    /// What it is being made of, when that takes long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
    /// Until when it can be part of another post at least, as its own is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

fn media_key(account: AccountId, media: ItemId) -> Vec<u8> {
    key(family::MEDIA, [account.0, media.0])
}

impl Rows {
    pub(super) fn media(&self, account: AccountId, media: ItemId) -> Option<MediaRow> {
        self.get(&media_key(account, media))
    }
}

fn unfinished_key(account: AccountId, media: ItemId) -> Vec<u8> {
    key(family::UNFINISHED, [account.0, media.0])
}

/// The blobs of a row.
fn blobs_of(family: u8, value: &[u8]) -> Vec<String> {
    let name = |file: &File| file.blob.clone();
    let of_media = |media: &Media| media.original.iter().chain(&media.small).map(name).collect::<Vec<_>>();
    match family {
        family::ACCOUNT if sabotage::lacks(Sabotage::BlobReferences) => Vec::new(),
        family::ACCOUNT => {
            let row: Account = super::rows::read(value);
            row.avatar.iter().chain(&row.header).map(name).collect()
        }
        family::MEDIA => {
            let row: MediaRow = super::rows::read(value);
            let sent = row.upload.into_iter().flat_map(|upload| [Some(upload.file), upload.thumbnail]);
            of_media(&row.media).into_iter().chain(sent.flatten()).collect()
        }
        family::NOTICE => {
            // Of what is the server's, only emoji have files.
            let row: Option<Emoji> = decalog_runtime::unpack(0, 0, value).ok();
            row.iter().flat_map(|row| &row.files).map(name).collect()
        }
        _ => {
            let row: Scheduled = super::rows::read(value);
            row.media.iter().flat_map(of_media).collect()
        }
    }
}

impl Feed {
    /// The blobs that rows after this one name, of so many rows; and the last of them, when there may be more.
    pub fn blobs(&self, after: Option<&[u8]>, most: usize) -> (Vec<String>, Option<Vec<u8>>) {
        let begun = after.and_then(|key| WITH_FILES.iter().position(|family| key.first() == Some(family)));
        for family in WITH_FILES.into_iter().skip(begun.unwrap_or(0)) {
            let from = match after.filter(|key| key.first() == Some(&family)) {
                Some(key) => [key, &[0]].concat(),
                None => vec![family],
            };
            let rows = self.rows.tables.range(&from, &end_of(&[family]), Order::Rising, most);
            if let Some((last, _)) = rows.last() {
                let blobs = rows.iter().flat_map(|(_, value)| blobs_of(family, value)).collect();
                return (blobs, Some(last.clone()));
            }
        }
        (Vec::new(), None)
    }

    /// Attachments that are being made of kept uploads, after one of them.
    pub fn unfinished(&self, after: Option<(AccountId, ItemId)>, most: usize) -> Vec<(AccountId, ItemId)> {
        let from = match after {
            None => vec![family::UNFINISHED],
            Some((account, media)) => [&unfinished_key(account, media)[..], &[0]].concat(),
        };
        let rows = self.rows.tables.range(&from, &end_of(&[family::UNFINISHED]), Order::Rising, most);
        let read = |key: &[u8]| {
            let account = key.get(1..9)?.try_into().ok()?;
            Some((AccountId(u64::from_be_bytes(account)), ItemId(last_number(key))))
        };
        rows.iter().filter_map(|(key, _)| read(key)).collect()
    }
}

impl Turn<'_> {
    pub(super) fn add_media(&mut self, it: AddMedia) -> Reply {
        let AddMedia { account, kind, description } = it;
        let id = ItemId(self.next_id_of(account));
        let media =
            Media { id, kind, original: None, small: None, meta: String::new(), description, blurhash: None };
        self.rows.put(&media_key(account, id), &MediaRow { media, post: None, upload: None, until: None });
        self.set_due(self.now() + WAITS, Due::MediaEnd, account.0, id.0);
        Reply::Made(id)
    }

    /// An attachment has waited long enough for its post. One of a post for later waits on.
    pub(super) fn end_media(&mut self, account: AccountId, id: ItemId) {
        let Some(MediaRow { post: None, until, .. }) = self.rows.media(account, id) else { return };
        // One whose post is gone meanwhile has an end of its own.
        if until.is_some_and(|until| until > self.now()) || sabotage::lacks(Sabotage::Unposted) {
            return;
        }
        let planned = self.rows.all_scheduled(account).iter().any(|row| row.draft.media.contains(&id));
        if planned {
            self.set_due(self.now() + WAITS, Due::MediaEnd, account.0, id.0);
        } else {
            self.forget_media(account, id);
        }
    }

    pub(super) fn change_media(&mut self, it: ChangeMedia) -> Reply {
        self.change(it.account, it.media, |row| {
            let media = &mut row.media;
            if let Some(description) = it.description {
                media.description = Some(description).filter(|words| !words.is_empty());
            }
            if let Some(meta) = it.meta {
                media.meta = meta;
            }
            if let Some(small) = it.small {
                media.small = Some(small);
            }
            if media.original.is_none() && it.upload.is_some() {
                row.upload = it.upload;
            }
        })
    }

    pub(super) fn finish_media(&mut self, it: FinishMedia) -> Reply {
        self.change(it.account, it.media, |row| {
            let media = &mut row.media;
            (media.kind, media.original, media.small) = (it.kind, Some(it.original), it.small);
            (media.meta, media.blurhash) = (it.meta, it.blurhash);
            row.upload = None;
        })
    }

    /// Changes an attachment that is of no post yet.
    fn change(&mut self, account: AccountId, id: ItemId, change: impl FnOnce(&mut MediaRow)) -> Reply {
        match self.rows.media(account, id) {
            Some(mut row) if row.post.is_none() => {
                change(&mut row);
                match row.upload {
                    Some(_) => self.rows.mark(&unfinished_key(account, id)),
                    None => self.rows.remove(&unfinished_key(account, id)),
                }
                self.rows.put(&media_key(account, id), &row);
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
            let row = MediaRow { media: media.clone(), post: Some(post), upload: None, until: None };
            self.rows.put(&media_key(account, media.id), &row);
        }
        Ok(media)
    }

    /// Its post is gone. For a while it can be part of another.
    pub(super) fn detach(&mut self, account: AccountId, media: ItemId) {
        let Some(row) = self.rows.media(account, media) else { return };
        let until = self.now() + WAITS;
        self.rows.put(&media_key(account, media), &MediaRow { post: None, until: Some(until), ..row });
        self.set_due(until, Due::MediaEnd, account.0, media.0);
    }

    pub(super) fn forget_media(&mut self, account: AccountId, media: ItemId) {
        self.rows.remove(&media_key(account, media));
        self.rows.remove(&unfinished_key(account, media));
    }
}
