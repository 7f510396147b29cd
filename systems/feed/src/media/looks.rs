//! Names for what is not accepted, so that a refusal can say what it saw.

/// Beginnings of files that people upload by mistake or on purpose.
const MAGICS: [(&[u8], &str); 16] = [
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"#EXTM3U", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"[playlist]", "a playlist"),
    (b"\x1a\x45\xdf\xa3", "a Matroska video"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
    (b"BM", "a BMP picture"),
];

/// What bytes look like that [`crate::media::sniff`] does not accept.
pub(crate) fn looks_like(head: &[u8]) -> &'static str {
    if let Some((_, name)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return name;
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ") {
        return "an AVI video";
    }
    if head.get(4..8) == Some(b"ftyp") {
        return "a container of an unknown brand";
    }
    let text = head.get(..head.len().min(1024)).unwrap_or_default();
    let lower = String::from_utf8_lossy(text).to_ascii_lowercase();
    let opening = lower.trim_start_matches('\u{feff}').trim_start();
    if opening.starts_with('<') {
        if lower.contains("<svg") {
            return "an SVG drawing";
        }
        let html = ["<!doctype html", "<html", "<script", "<body", "<head"];
        return if html.iter().any(|tag| lower.contains(tag)) { "an HTML page" } else { "an XML document" };
    }
    let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || *byte >= 0x80;
    if !text.is_empty() && text.iter().all(printable) { "text" } else { "something unknown" }
}
