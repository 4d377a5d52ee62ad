//! What kind of file it is, where the client did not say; and what a browser may do with it.

/// Endings of names, in lower case.
const BY_ENDING: &[(&str, &str)] = &[
    ("7z", "application/x-7z-compressed"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("heic", "image/heic"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

const UNKNOWN: &str = "application/octet-stream";

/// What the client said about it, else by its name.
pub fn of<'a>(said: &'a str, name: &str) -> &'a str {
    if !said.is_empty() {
        return said;
    }
    let Some((_, ending)) = name.rsplit_once('.') else { return UNKNOWN };
    let ending = ending.to_ascii_lowercase();
    BY_ENDING.binary_search_by(|(known, _)| (*known).cmp(&ending)).map_or(UNKNOWN, |at| BY_ENDING[at].1)
}

/// True for what a browser shows without running anything of it. Everything else is saved: a page among
/// somebody's files must not act in the hub's name.
pub fn is_shown(media_type: &str) -> bool {
    let kind = essence(media_type);
    match kind.split_once('/') {
        Some(("image", form)) => !form.contains("xml"),
        Some(("audio" | "video", _)) => true,
        _ => matches!(kind.as_str(), "application/pdf" | "text/plain"),
    }
}

/// The type without its parameters, in lower case.
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        assert!(BY_ENDING.is_sorted());
        for (said, name, expected, shown) in [
            ("", "a.TXT", "text/plain", true),
            ("", "a.html", "text/html", false),
            ("", "a", UNKNOWN, false),
            ("", ".txt", "text/plain", true),
            ("image/png", "a.html", "image/png", true),
            ("", "a.svg", "image/svg+xml", false),
            ("text/plain; charset=x", "a", "text/plain; charset=x", true),
            ("application/xhtml+xml", "a", "application/xhtml+xml", false),
        ] {
            assert_eq!((of(said, name), is_shown(of(said, name))), (expected, shown), "{said} {name}");
        }
    }
}
