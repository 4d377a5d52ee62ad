//! PDF (ISO 32000-1): the text that its pages show, in the order in which they show it.

use lopdf::{Document, LoadOptions};

use crate::MOST_TEXT;

/// Bytes that a stream of the file, or the contents of a page, may have when they are unpacked.
const MOST_UNPACKED: usize = 16 << 20;

/// Pages that are looked at.
const MOST_PAGES: usize = 10_000;

pub(crate) fn text(document: &[u8]) -> String {
    let options = LoadOptions { max_decompressed_size: Some(MOST_UNPACKED), ..LoadOptions::default() };
    let mut out = String::new();
    let Ok(pdf) = Document::load_mem_with_options(document, options) else { return out };
    if pdf.is_encrypted() {
        return out;
    }
    for number in pdf.get_pages().into_keys().take(MOST_PAGES) {
        // What cannot be read is left out of the page.
        let pieces = pdf.extract_text_chunks_with_limit(&[number], MOST_UNPACKED);
        pieces.into_iter().flatten().for_each(|piece| out.push_str(&piece));
        out.push('\n');
        if out.len() >= MOST_TEXT {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use lopdf::content::{Content, Operation};
    use lopdf::{Object, ObjectId, Stream, dictionary};

    /// A document of pages with these contents.
    fn pdf(pages: Vec<Vec<u8>>) -> Vec<u8> {
        let mut document = Document::with_version("1.5");
        let tree = document.new_object_id();
        let font = document.add_object(dictionary! {
            "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding",
        });
        let resources = document.add_object(dictionary! { "Font" => dictionary! { "F1" => font } });
        let kids: Vec<Object> = pages
            .into_iter()
            .map(|content| {
                let mut stream = Stream::new(dictionary! {}, content);
                stream.compress().expect("compressed");
                let content = document.add_object(stream);
                page(&mut document, tree, resources, content).into()
            })
            .collect();
        let count = kids.len() as i64;
        let node = dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count };
        document.objects.insert(tree, Object::Dictionary(node));
        let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
        document.trailer.set("Root", catalog);
        let mut bytes = Vec::new();
        document.save_to(&mut bytes).expect("saved");
        bytes
    }

    fn page(document: &mut Document, tree: ObjectId, resources: ObjectId, content: ObjectId) -> ObjectId {
        document.add_object(dictionary! {
            "Type" => "Page", "Parent" => tree, "Resources" => resources, "Contents" => content,
        })
    }

    fn shown(text: &str) -> Vec<u8> {
        let operations = vec![
            Operation::new("BT", vec![]),
            Operation::new("Tf", vec!["F1".into(), 12.into()]),
            Operation::new("Tj", vec![Object::string_literal(text)]),
            Operation::new("ET", vec![]),
        ];
        Content { operations }.encode().expect("encoded")
    }

    #[test]
    fn pages_one_after_the_other() {
        let text = text(&pdf(vec![shown("first page"), shown("second page")]));
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["first page", "second page"]);
    }

    /// A page whose contents are a hundred times what may be unpacked, and one that is right.
    #[test]
    fn a_bomb_hides_its_own_page_only() {
        let bomb = pdf(vec![vec![b' '; 4 * MOST_UNPACKED], shown("after it")]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(text(&bomb).trim(), "after it");
    }

    /// A tree of pages that comes back to itself.
    #[test]
    fn loops_end() {
        let bytes = pdf(vec![shown("once")]);
        let mut document = Document::load_mem(&bytes).expect("loads");
        let tree =
            document.catalog().and_then(|c| c.get(b"Pages")).and_then(Object::as_reference).expect("a tree");
        let kids =
            document.get_dictionary_mut(tree).and_then(|d| d.get_mut(b"Kids")).and_then(Object::as_array_mut);
        kids.expect("kids").push(tree.into());
        let mut looped = Vec::new();
        document.save_to(&mut looped).expect("saved");
        assert!(text(&looped).contains("once"));
    }

    #[test]
    fn what_is_broken_has_no_text() {
        let bytes = pdf(vec![shown("text")]);
        for length in (0..bytes.len()).step_by(97) {
            text(&bytes[..length]);
        }
        assert_eq!(text(b"%PDF-1.7 and nothing else"), "");
    }
}
