//! The types of file that are accepted, what each is called, and which demuxer alone may read it.

/// A type of media file, told by its content ([`crate::media::sniff`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG; of an animated one the first frame.
    Png,
    /// GIF, animated or not.
    Gif,
    /// WebP; of an animated one the first frame.
    WebP,
    /// AVIF.
    Avif,
    /// HEIC and other HEIF pictures.
    Heic,
    /// MP4 and M4V.
    Mp4,
    /// QuickTime.
    Mov,
    /// WebM.
    WebM,
    /// MP3.
    Mp3,
    /// Ogg with Vorbis, FLAC, Speex or Theora.
    Ogg,
    /// Ogg with Opus.
    Opus,
    /// WAV.
    Wav,
    /// FLAC.
    Flac,
    /// M4A: AAC or ALAC in an MP4 container.
    M4a,
    /// AAC in ADTS frames.
    Aac,
}

/// What a format is treated as before anything is known of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A picture, moving only if it is a GIF of several frames.
    Image,
    /// A container of streams: a video if one of them is, or else audio.
    Moving,
}

/// Decoders that may open a stream of a container; whatever else it names stays unread.
const STREAM_DECODERS: &str = "h264,hevc,vp8,vp9,libdav1d,av1,mpeg4,mpeg2video,h263,theora,prores,mjpeg,png,\
    aac,mp3,mp3float,opus,vorbis,flac,alac,ac3,eac3,speex,libspeex,\
    pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_f64le,pcm_alaw,pcm_mulaw,\
    mov_text,webvtt,subrip,ass,ssa";

impl Format {
    /// Whether it is a picture or a container of streams.
    pub fn class(self) -> Class {
        match self {
            Self::Jpeg | Self::Png | Self::Gif | Self::WebP | Self::Avif | Self::Heic => Class::Image,
            Self::Mp4 | Self::Mov | Self::WebM => Class::Moving,
            Self::Mp3 | Self::Ogg | Self::Opus | Self::Wav | Self::Flac | Self::M4a | Self::Aac => {
                Class::Moving
            }
        }
    }

    /// The media type of files whose names end so.
    pub fn mime_of(extension: &str) -> Option<&'static str> {
        let all = [
            Self::Jpeg,
            Self::Png,
            Self::Gif,
            Self::WebP,
            Self::Avif,
            Self::Heic,
            Self::Mp4,
            Self::Mov,
            Self::WebM,
            Self::Mp3,
            Self::Ogg,
            Self::Opus,
            Self::Wav,
            Self::Flac,
            Self::M4a,
            Self::Aac,
        ];
        all.into_iter().find(|format| format.extension() == extension).map(Self::mime)
    }

    /// Its media type, as Mastodon names it.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Avif => "image/avif",
            Self::Heic => "image/heic",
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::WebM => "video/webm",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg | Self::Opus => "audio/ogg",
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
            Self::M4a => "audio/m4a",
            Self::Aac => "audio/aac",
        }
    }

    /// The extension of its files, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::WebP => "webp",
            Self::Avif => "avif",
            Self::Heic => "heic",
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::WebM => "webm",
            Self::Mp3 => "mp3",
            Self::Ogg => "ogg",
            Self::Opus => "opus",
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::M4a => "m4a",
            Self::Aac => "aac",
        }
    }

    /// ffmpeg's demuxer for it: forced, so that content never chooses one (a playlist would open other files).
    pub(crate) fn demuxer(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg_pipe",
            Self::Png => "png_pipe",
            Self::Gif => "gif",
            Self::WebP => "webp_pipe",
            Self::Avif | Self::Heic | Self::Mp4 | Self::Mov | Self::M4a => "mov",
            Self::WebM => "matroska",
            Self::Mp3 => "mp3",
            Self::Ogg | Self::Opus => "ogg",
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Aac => "aac",
        }
    }

    /// Names under which ffmpeg's list of accepted formats must hold the demuxer.
    pub(crate) fn demuxer_names(self) -> &'static str {
        match self.demuxer() {
            "mov" => "mov,mp4,m4a,3gp,3g2,mj2",
            "matroska" => "matroska,webm",
            one => one,
        }
    }

    /// ffmpeg's decoders that may be opened for it.
    pub(crate) fn decoders(self) -> &'static str {
        match self {
            Self::Jpeg => "mjpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::WebP => "webp",
            Self::Avif => "libdav1d,av1",
            Self::Heic => "hevc",
            _ => STREAM_DECODERS,
        }
    }
}
