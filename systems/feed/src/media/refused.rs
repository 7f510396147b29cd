//! Why an upload is refused: one sentence for who uploaded it, and what the programs printed for the log.

use std::io;

use thiserror::Error;

/// Why no files were made. The message is a sentence that may be shown to the one who uploaded; [`Refused::log`] may not.
#[derive(Debug, Error)]
pub enum Refused {
    /// The file has more bytes than its kind may have.
    #[error("The file has {bytes} bytes, and at most {limit} are accepted. Upload a smaller one.")]
    TooLarge {
        /// Bytes of the file.
        bytes: u64,
        /// Bytes that are accepted.
        limit: u64,
    },
    /// The picture is too large in width times height, whatever its file's size.
    #[error(
        "The picture has {width}x{height} pixels, and at most {limit} pixels in all are accepted. Scale it down."
    )]
    TooManyPixels {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// Pixels that are accepted, width times height.
        limit: u64,
    },
    /// The animation has too many frames.
    #[error("The animation has more than {limit} frames. Shorten it.")]
    TooManyFrames {
        /// Frames that are accepted.
        limit: u64,
    },
    /// The video's frame rate is too high.
    #[error("The video has {rate} frames a second, and at most {limit} are accepted. Lower its frame rate.")]
    FrameRate {
        /// Its frames a second, rounded up.
        rate: u32,
        /// Frames a second that are accepted.
        limit: u32,
    },
    /// What was made of the file would be larger than what may be stored.
    #[error("What is made of the file would have more than {limit} bytes. Upload a shorter or smaller one.")]
    ResultTooLarge {
        /// Bytes that may be stored.
        limit: u64,
    },
    /// A type that is not accepted; the text names what it looks like.
    #[error("The file looks like {0}, which is not accepted as media.")]
    Unsupported(&'static str),
    /// A type that is accepted, in a file that cannot be read.
    #[error("The file cannot be read: {reason}.")]
    Broken {
        /// What is wrong with it, in words for the one who uploaded.
        reason: &'static str,
        /// What the program printed that could not read it.
        log: String,
    },
    /// It needs more memory than one file may.
    #[error("The file needs too much memory to convert. Upload a smaller one.")]
    TooComplex {
        /// What the program printed.
        log: String,
    },
    /// It took more processor time, or longer, than one file may.
    #[error("The file takes too long to convert. Upload a shorter or smaller one.")]
    TooSlow,
    /// Too many files wait for their turn.
    #[error("The server is converting other files. Try again in a while.")]
    Busy,
    /// The server's own fault: a full disk, a program that is not installed.
    #[error("The server could not convert the file. Try again later.")]
    Failed {
        /// What happened.
        log: String,
    },
}

impl Refused {
    /// A file that cannot be read, found by reading it here.
    pub(crate) fn broken(reason: &'static str) -> Self {
        Self::Broken { reason, log: String::new() }
    }

    /// The server's own fault, while doing something.
    pub(crate) fn failed(doing: &str, error: &io::Error) -> Self {
        Self::Failed { log: format!("{doing}: {error}") }
    }

    /// What belongs into a log line beside the message, and never before the one who uploaded.
    pub fn log(&self) -> Option<&str> {
        match self {
            Self::Broken { log, .. } | Self::TooComplex { log } | Self::Failed { log } if !log.is_empty() => {
                Some(log)
            }
            _ => None,
        }
    }

    /// Whether the same file may be accepted later: the fault is the server's or the moment's.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy | Self::Failed { .. })
    }
}
