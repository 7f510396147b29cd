//! The workshop: uploads come in, wait for their turn, and leave as files with facts, or as a refusal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use tokio::fs;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::attached::{self, Preview};
use super::child::Bench;
use super::format::{Class, Format};
use super::limits::{Limits, Programs};
use super::meta::{Dimensions, Focus, Meta};
use super::refused::Refused;
use super::scratch::Scratch;
use super::sniff::{HEAD, recognise};
use super::{gif, gifv, image, moving};

/// An upload that shall become an attachment.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The uploaded file, under any name.
    pub input: PathBuf,
    /// Its type by content, from [`crate::media::recognise`]; it is looked at again.
    pub format: Format,
    /// The point that must stay in sight when the picture is cropped, each from -1 to 1.
    pub focus: Option<(f32, f32)>,
    /// A picture to be shown instead of the preview that would be made.
    pub thumbnail: Option<PathBuf>,
    /// The folder for the files that are made: `original` and `small`, each with its extension.
    pub out: PathBuf,
}

/// The kind of an attachment, as `MediaAttachment.type` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A still picture.
    Image,
    /// An animation without sound, that plays by itself.
    Gifv,
    /// A video.
    Video,
    /// Sound.
    Audio,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// Its type; [`Format::mime`] and [`Format::extension`] go with it.
    pub format: Format,
    /// How many bytes it has.
    pub bytes: u64,
}

/// An attachment that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Processed {
    /// Its kind.
    pub kind: Kind,
    /// The file itself.
    pub original: Made,
    /// Its preview; audio without a cover has none.
    pub small: Option<Made>,
    /// Its facts.
    pub meta: Meta,
    /// The BlurHash of its preview.
    pub blurhash: Option<String>,
}

/// What a maker of one kind hands back: files named `original` and `small` lie in the scratch folder.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) kind: Kind,
    pub(crate) original: Format,
    pub(crate) small: Option<Format>,
    pub(crate) meta: Meta,
    pub(crate) blurhash: Option<String>,
}

/// An upload that exists, is what it is said to be, and is not too large.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Its path, absolute.
    pub(crate) path: PathBuf,
    /// Its first bytes.
    pub(crate) head: Vec<u8>,
}

/// Makes attachments and portraits, so many at a time. Cloning gives another handle of the same workshop.
#[derive(Clone, Debug)]
pub struct Workshop {
    inner: Arc<Inner>,
}

/// What all handles share.
#[derive(Debug)]
struct Inner {
    limits: Limits,
    programs: Programs,
    turns: Semaphore,
    waiting: AtomicUsize,
}

/// Counts one that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Finished {
    /// The name of a file by what it is for.
    pub(crate) fn name(stem: &str, format: Format) -> String {
        format!("{stem}.{}", format.extension())
    }
}

impl Made {
    /// Moves finished files out of the scratch folder, all or none.
    pub(crate) fn publish(scratch: &Scratch, files: &[(&str, Format)]) -> Result<Vec<Self>, Refused> {
        let measure = |(name, format): &(&str, Format)| {
            let bytes = std::fs::metadata(scratch.file(name))
                .map_err(|error| Refused::failed("measuring a finished file", &error))?
                .len();
            Ok((*format, bytes))
        };
        let measured = files.iter().map(measure).collect::<Result<Vec<_>, Refused>>()?;
        let names = files.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let places = scratch.publish(&names)?;
        Ok(places
            .into_iter()
            .zip(measured)
            .map(|(path, (format, bytes))| Self { path, format, bytes })
            .collect())
    }
}

impl Workshop {
    /// A workshop of these limits and programs.
    pub fn new(limits: Limits, programs: Programs) -> Self {
        let turns = Semaphore::new(limits.children.max(1));
        Self { inner: Arc::new(Inner { limits, programs, turns, waiting: AtomicUsize::new(0) }) }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Makes an attachment. Dropping the future ends the child process and removes what was made so far.
    pub async fn process(&self, job: Job) -> Result<Processed, Refused> {
        let _turn = self.turn().await?;
        let limits = self.limits();
        let most = if job.format.class() == Class::Image { limits.image_bytes } else { limits.video_bytes };
        let Judged { path, head } = self.judge(&job.input, job.format, most).await?;
        let scratch = Scratch::create(&job.out)?;
        let bench = self.bench(&scratch);
        let thumbnail = match &job.thumbnail {
            Some(thumbnail) => Some(self.thumbnail(&bench, &scratch, thumbnail).await?),
            None => None,
        };
        let mut finished = match job.format.class() {
            Class::Image => self.image(&bench, &scratch, job.format, &path).await?,
            Class::Moving => {
                moving::make(&bench, &scratch, job.format, &path, &head, thumbnail.is_none()).await?
            }
        };
        if let Some(preview) = thumbnail {
            // A picture or an animation made its own preview of another name or the same; the thumbnail lies beside it.
            std::fs::rename(
                scratch.file("thumbnail"),
                scratch.file(&Finished::name("small", preview.format)),
            )
            .map_err(|error| Refused::failed("putting a thumbnail into its place", &error))?;
            finished.meta.small = Some(Dimensions::of(preview.size));
            finished.small = Some(preview.format);
            finished.blurhash = preview.blurhash;
        }
        finished.meta.focus = job.focus.and_then(Focus::clamped);
        let Finished { kind, original, small, meta, blurhash } = finished;
        let named = [Some(("original", original)), small.map(|format| ("small", format))];
        let named = named.into_iter().flatten().map(|(stem, format)| (Finished::name(stem, format), format));
        let named = named.collect::<Vec<_>>();
        let files = named.iter().map(|(name, format)| (name.as_str(), *format)).collect::<Vec<_>>();
        let mut made = Made::publish(&scratch, &files)?.into_iter();
        let original = made.next().ok_or_else(|| Refused::broken("nothing could be made of it"))?;
        Ok(Processed { kind, original, small: made.next(), meta, blurhash })
    }

    /// A picture, or an animation if it is a GIF of several frames.
    async fn image(
        &self,
        bench: &Bench<'_>,
        scratch: &Scratch,
        format: Format,
        path: &Path,
    ) -> Result<Finished, Refused> {
        if format == Format::Gif {
            let bytes = fs::read(path).await.map_err(|error| Refused::failed("reading an upload", &error))?;
            let gif = gif::read(&bytes)?;
            if gif.frames > 1 {
                return gifv::make(bench, scratch, &gif, path).await;
            }
        }
        image::make(bench, scratch, format, path).await
    }

    /// The preview of a thumbnail, as the file `thumbnail`.
    async fn thumbnail(&self, bench: &Bench<'_>, scratch: &Scratch, path: &Path) -> Result<Preview, Refused> {
        let format = recognise(&head(path).await?)?;
        let path = self.judge(path, format, self.limits().image_bytes).await?.path;
        attached::make(bench, scratch, format, &path, "thumbnail").await
    }

    /// Waits for a turn, unless too many do already.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, Refused> {
        let inner = &*self.inner;
        if let Ok(turn) = inner.turns.try_acquire() {
            return Ok(turn);
        }
        let before = inner.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&inner.waiting);
        if before >= inner.limits.waiting {
            return Err(Refused::Busy);
        }
        inner.turns.acquire().await.map_err(|_| Refused::Busy)
    }

    /// Refuses an upload that is too large, empty, or not what it is said to be.
    pub(crate) async fn judge(&self, input: &Path, format: Format, limit: u64) -> Result<Judged, Refused> {
        let failed = |error: std::io::Error| Refused::failed("reading an upload", &error);
        let path = fs::canonicalize(input).await.map_err(failed)?;
        let bytes = fs::metadata(&path).await.map_err(failed)?.len();
        if bytes > limit {
            return Err(Refused::TooLarge { bytes, limit });
        }
        let head = head(&path).await?;
        if recognise(&head)? != format {
            return Err(Refused::broken("it is not of the type that it is said to be"));
        }
        Ok(Judged { path, head })
    }

    /// Where children of a job are started.
    pub(crate) fn bench<'a>(&'a self, scratch: &'a Scratch) -> Bench<'a> {
        Bench { limits: &self.inner.limits, programs: &self.inner.programs, folder: scratch.folder() }
    }
}

/// The first bytes of a file.
async fn head(path: &Path) -> Result<Vec<u8>, Refused> {
    let failed = |error: std::io::Error| Refused::failed("reading an upload", &error);
    let file = fs::File::open(path).await.map_err(failed)?;
    let mut head = Vec::new();
    let most = u64::try_from(HEAD).unwrap_or_default();
    file.take(most).read_to_end(&mut head).await.map_err(failed)?;
    Ok(head)
}
