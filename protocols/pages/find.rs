//! What a search below a folder finds.

use hub::files::{FilePath, Walked};
use hyper::StatusCode;

use crate::Reply;
use crate::html::{Page, escape, size, time};
use crate::list;
use crate::status::Refusal;
use crate::target::href;
use crate::visitor::Spot;

/// Results of a page; who gets more narrows the search down.
const MOST: usize = 200;
/// Longest text in bytes.
const LONGEST: usize = 1000;

/// Looks in the names and texts of what is below a folder.
pub(crate) async fn answer(spot: &Spot, text: &str) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        let why = "There is nothing to look for: write some words, but not more than a line or two.";
        return Err(Refusal::Status(StatusCode::BAD_REQUEST, "Nothing was looked for", why));
    }
    let found = files.search(path, text, MOST).await?;
    let mut page = list::page(spot, "Found", None);
    form(&mut page, text);
    if found.files.is_empty() {
        page.raw("<p>Nothing in this folder, or below it, has this in its name or its text.</p>");
    } else {
        list::begin_table(&mut page);
        found.files.iter().for_each(|one| row(&mut page, one));
        page.raw("</tbody></table>");
    }
    if !found.is_complete {
        page.raw(
            "<p role=\"status\">There may be more. What has come a moment ago is read first; else look for \
             more words, or in a folder below.</p>",
        );
    }
    Ok(page.reply(StatusCode::OK))
}

/// Where to say what to look for.
pub(crate) fn form(page: &mut Page, text: &str) {
    page.raw(&format!(
        "<form role=\"search\" method=\"get\" action=\"?\"><label>Look in names and texts \
         <input type=\"search\" name=\"find\" value=\"{}\" required maxlength=\"200\"></label><button>Find</button></form>",
        escape(text),
    ));
}

/// The way from the folder to what was found, both of which lead there.
fn row(page: &mut Page, Walked { path, node }: &Walked) {
    let link = escape(&href("./", path, node.is_folder()));
    let target = if node.is_folder() { link } else { format!("{link}?details") };
    let class = if node.is_folder() { "folder" } else { "file" };
    let name = escape(&node.name);
    let above = FilePath::parse(path).ok().and_then(|path| path.parent());
    let above = match above.filter(|above| !above.is_root()) {
        Some(above) => {
            let (link, name) = (escape(&href("./", &above.to_string(), true)), escape(&above.to_string()));
            format!(" in <a href=\"{link}\">{name}</a>")
        }
        None => String::new(),
    };
    page.raw(&format!(
        "<tr><td><a class=\"{class}\" href=\"{target}\">{name}</a>{above}</td><td class=\"size\">{}</td>\
         <td class=\"time\">{}</td><td class=\"more\"></td></tr>",
        size(node.size),
        time(node.modified_at),
    ));
}
