//! Searching in files, and documents that mean no good to whoever reads them.

use crate::dav::curl;
use crate::harness::{ALICE, Hub, has_program};

/// A page that shows "Dear Needle", without what readers can do without.
const PDF: &str = "%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>> endobj
4 0 obj <</Length 36>> stream
BT /F 12 Tf (Dear Needle) Tj ET     
endstream endobj
5 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>> endobj
trailer <</Root 1 0 R>>
";

fn search(hub: &Hub, text: &str) -> Vec<String> {
    let body = format!(
        "<D:searchrequest xmlns:D=\"DAV:\"><D:basicsearch><D:select><D:prop><D:getetag/></D:prop></D:select>\
         <D:from><D:scope><D:href>/dav/files/{ALICE}/</D:href></D:scope></D:from>\
         <D:where><D:contains>{text}</D:contains></D:where></D:basicsearch></D:searchrequest>"
    );
    let (status, xml) = curl(hub, "SEARCH", "", &["--data-binary", &body]);
    assert_eq!(status, 207, "{xml}");
    let hrefs = xml.split("<D:href>").skip(1).filter_map(|rest| rest.split('<').next());
    hrefs.filter_map(|href| href.rsplit('/').next()).map(str::to_owned).collect()
}

/// The parser ends by a stack overflow: in a process of its own, which nobody misses.
#[test]
fn hostile_documents_are_survived() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    let pid = hub.pid();
    let file = hub.path("file");
    let put = |name: &str, content: &str| {
        std::fs::write(&file, content).expect("written");
        assert_eq!(curl(&hub, "PUT", name, &["--upload-file", file.to_str().expect("UTF-8")]).0, 201);
    };
    put("nested.pdf", &format!("%PDF-1.5\n1 0 obj{}", "[".repeat(5_000_000)));
    put("dictionaries.pdf", &format!("%PDF-1.5\n1 0 obj{}", "<</A".repeat(2_000_000)));
    put("good.pdf", PDF);
    put("note.txt", "another needle");
    let mut found = search(&hub, "NEEDLE");
    found.sort();
    assert_eq!(found, ["good.pdf", "note.txt"]);
    assert!(search(&hub, "nowhere").is_empty());
    assert_eq!((curl(&hub, "GET", "note.txt", &[]).0, hub.pid()), (200, pid));
}
