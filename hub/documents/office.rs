//! The files of office programs: ZIP archives of XML (OpenDocument, Office Open XML).

use std::io::{BufRead, BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use crate::MOST_TEXT;

/// Bytes that are unpacked of one file, however many it claims to have.
const MOST_UNPACKED: u64 = 128 << 20;

/// Members that are looked at: a presentation of 1,000 slides has some 4,000.
const MOST_MEMBERS: usize = 20_000;

/// What in a member of the archive is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// All character data.
    All,
    /// That of elements `t`, of cells `v` too if these hold values.
    Runs,
}

/// What a member of the archive is for, by its name.
fn text_in(member: &str) -> Option<Text> {
    let folder = |name: &str| member.strip_prefix(name).filter(|rest| !rest.contains('/'));
    match member {
        "content.xml" | "meta.xml" | "docProps/core.xml" => Some(Text::All),
        "xl/sharedStrings.xml" => Some(Text::Runs),
        _ if !member.ends_with(".xml") => None,
        _ if folder("word/").is_some_and(is_part_of_text) => Some(Text::Runs),
        _ if ["ppt/slides/", "ppt/notesSlides/", "xl/worksheets/"]
            .iter()
            .any(|name| folder(name).is_some()) =>
        {
            Some(Text::Runs)
        }
        _ => None,
    }
}

fn is_part_of_text(name: &str) -> bool {
    ["document", "comments", "endnotes", "footer", "footnotes", "header"]
        .iter()
        .any(|part| name.starts_with(part))
}

/// The text of all members, as far as they can be read.
pub(crate) fn text(document: &[u8]) -> String {
    let mut out = String::new();
    let Ok(mut archive) = ZipArchive::new(Cursor::new(document)) else { return out };
    let mut left = MOST_UNPACKED;
    for index in 0..archive.len().min(MOST_MEMBERS) {
        let Some(text) = archive.name_for_index(index).and_then(text_in) else { continue };
        let Ok(member) = archive.by_index(index) else { continue };
        let mut member = BufReader::new(member.take(left));
        add_text(&mut member, text, &mut out);
        left = member.into_inner().limit();
        if left == 0 || out.len() >= MOST_TEXT {
            break;
        }
    }
    out
}

/// Adds the text of a member, up to where its XML ends to be such.
fn add_text(member: &mut impl BufRead, text: Text, out: &mut String) {
    let mut reader = Reader::from_reader(member);
    reader.config_mut().check_end_names = false;
    let mut state = State { text, is_value: false, inside: text == Text::All };
    let mut buffer = Vec::new();
    while out.len() < MOST_TEXT {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(start)) => state.start(&start),
            Ok(Event::Empty(empty)) => state.end(empty.local_name().as_ref(), out),
            Ok(Event::End(end)) => state.end(end.local_name().as_ref(), out),
            Ok(Event::Text(text)) if state.inside => out.push_str(&text.xml10_content()),
            Ok(Event::CData(text)) if state.inside => out.push_str(&text.xml10_content()),
            Ok(Event::GeneralRef(name)) if state.inside => match name.resolve_char_ref() {
                Ok(Some(character)) => out.push(character),
                // Entities of its own a document does not have.
                _ => out.push_str(resolve_predefined_entity(&name.xml10_content()).unwrap_or_default()),
            },
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

struct State {
    text: Text,
    /// The cell is no number of a text that stands elsewhere.
    is_value: bool,
    inside: bool,
}

impl State {
    fn start(&mut self, element: &BytesStart<'_>) {
        if self.text == Text::All {
            return;
        }
        match element.local_name().as_ref() {
            "t" => self.inside = true,
            "c" => {
                let kind =
                    element.attributes().with_checks(false).flatten().find(|one| one.key.as_ref() == "t");
                self.is_value = kind.is_none_or(|kind| kind.value.as_ref() != "s");
            }
            "v" => self.inside = self.is_value,
            _ => {}
        }
    }

    /// What parts words: paragraphs, cells, tabulators.
    fn end(&mut self, element: &str, out: &mut String) {
        if self.text == Text::Runs && matches!(element, "t" | "v") {
            self.inside = false;
        }
        match element {
            "br" | "cr" | "line-break" | "s" | "tab" => out.push(' '),
            "c" | "h" | "p" | "row" | "si" => out.push('\n'),
            // Properties of the document: a title, an author.
            _ if self.text == Text::All && !matches!(element, "a" | "span") => out.push('\n'),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            writer.start_file(*name, SimpleFileOptions::default()).expect("begins");
            writer.write_all(content).expect("written");
        }
        writer.finish().expect("ends").into_inner()
    }

    fn check(members: &[(&str, &str)], expected: &[&str]) {
        let members: Vec<(&str, &[u8])> =
            members.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let text = text(&archive(&members));
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_text_document() {
        let body = "<w:document xmlns:w='urn:w'><w:body><w:p><w:r><w:t>One </w:t></w:r><w:r><w:t xml:space='preserve'>word</w:t>\
                    <w:tab/><w:t>more</w:t></w:r><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>\
                    <w:p><w:r><w:t>Smith &amp; S&#xF6;hne</w:t></w:r></w:p></w:body></w:document>";
        check(
            &[
                ("[Content_Types].xml", "<Types>no</Types>"),
                ("word/document.xml", body),
                ("word/footer1.xml", "<w:ftr><w:p><w:t>The end</w:t></w:p></w:ftr>"),
                ("word/styles.xml", "<w:styles><w:t>no</w:t></w:styles>"),
                ("docProps/core.xml", "<cp><dc:title>Title</dc:title><dc:creator>Ann</dc:creator></cp>"),
            ],
            &["One word more", "Smith & Söhne", "The end", "Title", "Ann"],
        );
    }

    #[test]
    fn a_spreadsheet() {
        let sheet = "<worksheet><row><c t='s'><v>0</v></c><c><v>3.25</v></c><c t='inlineStr'><is><t>here</t></is></c>\
                     <c><f>SUM(A1)</f><v>7</v></c></row></worksheet>";
        check(
            &[
                (
                    "xl/sharedStrings.xml",
                    "<sst><si><t>shared</t></si><si><r><t>in </t></r><r><t>parts</t></r></si></sst>",
                ),
                ("xl/worksheets/sheet1.xml", sheet),
            ],
            &["shared", "in parts", "3.25", "here", "7"],
        );
    }

    #[test]
    fn a_presentation() {
        check(
            &[
                ("ppt/slides/slide1.xml", "<p:sld><a:p><a:r><a:t>Slide</a:t></a:r></a:p></p:sld>"),
                ("ppt/slides/_rels/slide1.xml.rels", "<t>no</t>"),
                ("ppt/notesSlides/notesSlide1.xml", "<p:notes><a:p><a:t>Note</a:t></a:p></p:notes>"),
            ],
            &["Slide", "Note"],
        );
    }

    #[test]
    fn open_document() {
        let content = "<office:document-content><office:body><office:text><text:h>Head</text:h>\
                       <text:p>one<text:s/>two <text:span>th</text:span>ree</text:p>\
                       <table:table-cell><text:p>cell</text:p></table:table-cell></office:text></office:body></office:document-content>";
        check(
            &[("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", content)],
            &["Head", "one two three", "cell"],
        );
    }

    #[test]
    fn what_is_no_document() {
        check(&[("a.txt", "text"), ("b/content.xml", "<p>no</p>")], &[]);
        check(&[("content.xml", "<p>until here</p><p")], &["until here"]);
        assert_eq!(text(b"PK\x03\x04 and nothing else"), "");
    }

    /// 1 GiB of zeros and of text in a megabyte.
    #[test]
    fn a_bomb_is_unpacked_up_to_the_limit() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let piece = vec![b' '; 1 << 20];
        for name in ["content.xml", "meta.xml"] {
            writer.start_file(name, SimpleFileOptions::default()).expect("begins");
            writer.write_all(b"<p>").expect("written");
            for _ in 0..100 {
                writer.write_all(b"<b/>").expect("written");
                writer.write_all(&piece).expect("written");
            }
        }
        let bomb = writer.finish().expect("ends").into_inner();
        assert!(text(&bomb).len() < MOST_TEXT + 2 * piece.len());
    }

    /// Entities that stand for others are not there.
    #[test]
    fn a_billion_laughs_are_none() {
        let content = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><p>x&b;y</p>";
        check(&[("content.xml", content)], &["xy"]);
    }
}
