//! What is in a folder, a page of it at a time.

use hub::Address;
use hub::files::{FilePath, Node, Shares};
use hyper::StatusCode;

use crate::html::{Page, escape, size, time};
use crate::status::Refusal;
use crate::target::href;
use crate::visitor::{Place, Spot};
use crate::{Reply, find};

pub(crate) async fn answer(
    spot: &Spot,
    folder: &Node,
    after: &str,
    done: Option<&str>,
) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    let nodes = files.list_after(folder, after).next().await?.unwrap_or_default();
    let is_home = path.is_root() && spot.is_own();
    let title = match (is_home, path.name()) {
        (true, _) => "Files",
        (false, Some(name)) => name,
        (false, None) => folder.name.as_str(),
    };
    let mut page = page(spot, title, done);
    let may_write = files.access().may_write();
    if may_write {
        forms(&mut page);
    }
    if folder.nodes > 1 {
        find::form(&mut page, "");
    }
    let shares = match &spot.account {
        Some(account) if is_home && after.is_empty() => account.shares().await?,
        _ => None,
    };
    if nodes.is_empty() && shares.is_none() {
        page.raw("<p>There is nothing in this folder.</p>");
    } else {
        begin_table(&mut page);
        if let Some(shares) = &shares {
            row(&mut page, "", &shares.folder(None), false);
        }
        nodes.iter().for_each(|node| row(&mut page, "", node, spot.is_own() || may_write));
        page.raw("</tbody></table>");
    }
    pages(&mut page, folder, &nodes, after);
    Ok(page.reply(StatusCode::OK))
}

/// A table says how many there are, and where it goes on.
fn pages(page: &mut Page, folder: &Node, nodes: &[Node], after: &str) {
    let last = nodes.last().filter(|_| nodes.len() == hub::files::PAGE);
    if last.is_none() && after.is_empty() {
        return;
    }
    page.raw("<nav class=\"pages\" aria-label=\"Pages\">");
    if !after.is_empty() {
        page.raw("<a href=\"?\">First page</a>");
    }
    if let Some(last) = last {
        let after: String = form_urlencoded::byte_serialize(last.name.as_bytes()).collect();
        page.raw(&format!("<a rel=\"next\" href=\"?after={after}\">Next page</a>"));
    }
    page.raw(&format!("<span>{} files and folders in all, with all below</span></nav>", folder.nodes - 1));
}

/// The folder of what others share, or an owner's folder in it.
pub(crate) fn of_shares(spot: &Spot, shares: &Shares, owner: Option<&Address>) -> Reply {
    let folder = shares.folder(owner);
    let mut page = page(spot, &folder.name, None);
    begin_table(&mut page);
    match owner {
        None => {
            for owner in shares.owners() {
                let base = href("/files/", &shares.name, true);
                row(&mut page, &base, &shares.folder(Some(owner)), false);
            }
        }
        Some(owner) => {
            let base = href("/files/", &format!("{}/{owner}", shares.name), true);
            shares.granted(Some(owner)).for_each(|granted| row(&mut page, &base, &granted.node, false));
        }
    }
    page.raw("</tbody></table>");
    page.reply(StatusCode::OK)
}

/// Whoever may only add sees nothing of what is there.
pub(crate) fn of_uploads(spot: &Spot, done: Option<&str>) -> Reply {
    let mut page = page(spot, "Send files", done);
    page.raw(
        "<p>Whoever gave you this link gets what you send here. You cannot see or change it afterwards.</p>",
    );
    upload_form(&mut page, false);
    page.reply(StatusCode::OK)
}

/// With the way up, and what was just done.
pub(crate) fn page(spot: &Spot, title: &str, done: Option<&str>) -> Page {
    let mut page = Page::without_heading(title);
    page.with_script();
    page.raw("<header>");
    way_up(&mut page, spot);
    if spot.account.is_some() {
        page.raw(
            "<div class=\"bar\"><a href=\"/files/?trash\">Trash</a>\
             <form method=\"post\" action=\"/files/?do=logout\"><button class=\"plain\">Log out</button></form></div>",
        );
    }
    page.raw(&format!("</header><main><h1>{}</h1>", escape(title)));
    if let Some(sentence) = done.and_then(said) {
        page.raw(&format!("<p class=\"done\" role=\"status\">{sentence}</p>"));
    }
    page
}

/// What an action that ended in a redirect has done.
fn said(done: &str) -> Option<&'static str> {
    Some(match done {
        "deleted" => "It is in the trash now.",
        "folder" => "The folder is made.",
        "link-removed" => "The link leads nowhere any more.",
        "purged" => "It is gone for good, and its room is free.",
        "renamed" => "It has its new name.",
        "restored" => "It is back where it was.",
        "shared" => "It is shared.",
        "unshared" => "It is not shared with them any more.",
        "uploaded" => "Everything has arrived.",
        "version" => "The earlier version is the present one again.",
        _ => return None,
    })
}

fn way_up(page: &mut Page, spot: &Spot) {
    let (path, top) = match (&spot.place, spot.account.is_some()) {
        (Place::Files { path, .. }, is_twin) => (path.clone(), if is_twin { "Files" } else { "Top" }),
        (Place::Shares(shares, owner), _) => {
            let mut names = vec![shares.name.clone()];
            names.extend(owner.as_ref().map(Address::to_string));
            (FilePath::from_names(names).unwrap_or_default(), "Files")
        }
    };
    page.raw("<nav aria-label=\"Where you are\"><ol class=\"way\">");
    if spot.account.is_some() {
        page.raw("<li><a href=\"/files/\">Files</a></li>");
        if spot.base != "/files/" {
            page.raw(&format!("<li><a href=\"{}\">Shared</a></li>", escape(&spot.base)));
        }
    } else {
        page.raw(&format!("<li><a href=\"{}\">{top}</a></li>", escape(&spot.base)));
    }
    let mut at = FilePath::root();
    for name in path.names() {
        let Ok(below) = at.join(name) else { break };
        at = below;
        page.raw(&format!("<li><a href=\"{}\">{}</a></li>", escape(&spot.href(&at, true)), escape(name)));
    }
    page.raw("</ol></nav>");
}

pub(crate) fn begin_table(page: &mut Page) {
    page.raw(
        "<table class=\"list\"><thead><tr><th scope=\"col\">Name</th><th scope=\"col\" class=\"size\">Size</th>\
         <th scope=\"col\" class=\"time\">Changed (UTC)</th><th><span class=\"hidden\">More</span></th></tr></thead><tbody>",
    );
}

fn row(page: &mut Page, base: &str, node: &Node, has_more: bool) {
    let (name, is_folder) = (escape(&node.name), node.is_folder());
    // "./" so that no name is taken for a scheme.
    let base = if base.is_empty() { "./" } else { base };
    let link = escape(&href(base, &node.name, is_folder));
    let (class, target) =
        if is_folder { ("folder", link.clone()) } else { ("file", format!("{link}?details")) };
    let more = match (is_folder, has_more) {
        (true, true) => format!("<a href=\"{link}?details\" aria-label=\"More about {name}\">More</a>"),
        (true, false) => String::new(),
        (false, _) => format!("<a href=\"{link}?download\" aria-label=\"Download {name}\">Download</a>"),
    };
    page.raw(&format!(
        "<tr><td><a class=\"{class}\" href=\"{target}\">{name}</a></td><td class=\"size\">{}</td>\
         <td class=\"time\">{}</td><td class=\"more\">{more}</td></tr>",
        size(node.size),
        time(node.modified_at),
    ));
}

fn forms(page: &mut Page) {
    page.raw("<div class=\"forms\">");
    upload_form(page, true);
    page.raw(
        "<form method=\"post\" action=\"?do=folder\"><label>New folder \
         <input name=\"name\" required maxlength=\"255\" autocomplete=\"off\"></label><button>Make</button></form></div>",
    );
}

/// The choice stands before the files: they are stored as they come.
fn upload_form(page: &mut Page, may_replace: bool) {
    page.raw("<form id=\"upload\" method=\"post\" enctype=\"multipart/form-data\" action=\"?do=upload\">");
    if may_replace {
        page.raw("<label class=\"choice\"><input type=\"checkbox\" name=\"replace\" value=\"yes\"> Replace files of the same name</label>");
    }
    page.raw(
        "<label>Files to send <input type=\"file\" name=\"file\" multiple required></label><button>Send</button>\
         <p id=\"state\" role=\"status\" hidden></p><progress id=\"progress\" max=\"100\" value=\"0\" aria-label=\"Sent\" hidden></progress></form>",
    );
}
