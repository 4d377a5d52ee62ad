//! URL → what it means.

use hub::files::FilePath;
use hub_content::url;
use hyper::Uri;

/// Longest path in bytes, as for WebDAV.
const MAX_PATH: usize = 16 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// `/files/…`: of whoever has logged in.
    Own,
    /// `/s/TOKEN/…`
    Link(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) root: Root,
    pub(crate) path: FilePath,
    query: Vec<(String, String)>,
    /// The URL ended with a slash.
    pub(crate) is_folder: bool,
}

impl Target {
    /// The error is for a person to see.
    pub(crate) fn parse(uri: &Uri) -> Result<Self, &'static str> {
        let path = uri.path();
        if path.len() > MAX_PATH {
            return Err("It is too long.");
        }
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let names = segments.map(url::decode).collect::<Result<Vec<_>, _>>();
        let names = names.map_err(|_| "There is something in it that no name can have.")?;
        let (root, names) = match names.split_first() {
            Some((first, names)) if first == "files" => (Root::Own, names),
            Some((first, [token, names @ ..])) if first == "s" => (Root::Link(token.clone()), names),
            _ => return Err("There is nothing here."),
        };
        let path = FilePath::from_names(names).map_err(|_| "A name in it is too long.")?;
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let query = query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Ok(Self { root, path, query, is_folder: uri.path().ends_with('/') })
    }

    /// A parameter of the query; empty if it only stands there.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Its URL, without the query.
    pub(crate) fn href(&self) -> String {
        let href = href(&self.top(), &self.path.to_string(), self.is_folder);
        match self.path.is_root() && !self.is_folder {
            true => href.trim_end_matches('/').to_owned(),
            false => href,
        }
    }

    /// Where the tree begins, with a slash at the end.
    pub(crate) fn top(&self) -> String {
        match &self.root {
            Root::Own => "/files/".to_owned(),
            Root::Link(token) => {
                let mut top = String::from("/s/");
                url::encode_into(&mut top, token, b"");
                top.push('/');
                top
            }
        }
    }
}

/// The URL of a path below `base`.
pub(crate) fn href(base: &str, path: &str, is_folder: bool) -> String {
    let mut href = base.to_owned();
    url::encode_into(&mut href, path, url::IN_PATHS);
    if is_folder && !path.is_empty() {
        href.push('/');
    }
    href
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<Target, &'static str> {
        Target::parse(&uri.parse().expect("a URI"))
    }

    #[test]
    fn targets() {
        let own = parse("/files/a%20b/c?details&page=2").expect("a target");
        assert_eq!(
            (own.root.clone(), own.path.to_string(), own.is_folder),
            (Root::Own, "a b/c".to_owned(), false)
        );
        assert_eq!((own.parameter("details"), own.parameter("page")), (Some(""), Some("2")));
        assert_eq!(own.parameter("x"), None);
        let link = parse("/s/abc/x/").expect("a target");
        assert_eq!(
            (link.root.clone(), link.top(), link.is_folder),
            (Root::Link("abc".to_owned()), "/s/abc/".to_owned(), true)
        );
        for uri in ["/s/abc", "/s/abc/", "/s/abc/a%20b", "/files", "/files/x/"] {
            assert_eq!(parse(uri).expect("a target").href(), uri);
        }
        for uri in
            ["/s/", "/other", "/files/../x", "/files/%2e%2e/x", "/files/a%2fb", "/files/%00", "/files/%ff"]
        {
            assert!(parse(uri).is_err(), "{uri}");
        }
        assert_eq!(href("/files/", "a b/ü", true), "/files/a%20b/%C3%BC/");
        assert_eq!(href("/files/", "", true), "/files/");
    }
}
