//! All about a file or folder: how it looks, and what can be done with it.

use hub::files::{Access, FilePath, Files, Grant, Link, Node, Version};
use hub_content::media_type;
use hyper::StatusCode;

use crate::html::{Page, escape, size, time};
use crate::status::Refusal;
use crate::visitor::Spot;
use crate::{Call, Reply, list};

/// A text that is longer is downloaded rather than looked at.
const MAX_TEXT: u64 = 1 << 20;

pub(crate) async fn answer(call: &Call, spot: &Spot, node: Node) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    let name = path.name().unwrap_or(&node.name).to_owned();
    let mut page = list::page(spot, &name, call.target.parameter("done"));
    if node.is_folder() {
        page.raw("<p><a href=\"?\">Open the folder</a></p>");
    } else {
        preview(&mut page, &name, &node);
    }
    page.raw(&format!("<p>{}, changed {} UTC</p>", size(node.size), time(node.modified_at)));
    if files.access().may_write() && !path.is_root() {
        change(&mut page, &name);
    }
    if spot.is_own() && !path.is_root() {
        if !node.is_folder() {
            versions(&mut page, &files.versions(path).await?);
        }
        sharing(&mut page, files, path, &node).await?;
    }
    Ok(page.reply(StatusCode::OK))
}

/// What a browser can show without running anything of it.
fn preview(page: &mut Page, name: &str, node: &Node) {
    let kind = media_type::essence(media_type::of(&node.content_type, &node.name));
    let name = escape(name);
    match kind.split_once('/') {
        _ if !media_type::is_shown(&kind) => {}
        Some(("image", _)) => {
            page.raw(&format!(
                "<p><a href=\"?raw\"><img class=\"preview\" src=\"?raw\" alt=\"{name}\"></a></p>"
            ));
        }
        Some(("audio", _)) => page.raw("<p><audio controls preload=\"metadata\" src=\"?raw\"></audio></p>"),
        Some(("video", _)) => {
            page.raw("<p><video class=\"preview\" controls preload=\"metadata\" src=\"?raw\"></video></p>");
        }
        _ if kind == "text/plain" && node.size > MAX_TEXT => {}
        _ => {
            page.raw(&format!("<iframe class=\"preview\" src=\"?raw\" title=\"Preview of {name}\"></iframe>"))
        }
    }
    page.raw("<p class=\"buttons\"><a class=\"button\" href=\"?download\">Download</a>");
    if media_type::is_shown(&kind) {
        page.raw(" <a href=\"?raw\">Open alone</a>");
    }
    page.raw("</p>");
}

fn change(page: &mut Page, name: &str) {
    let name = escape(name);
    page.raw(&format!(
        "<h2>Change</h2><div class=\"forms\"><form method=\"post\" action=\"?do=rename\"><label>Name \
         <input name=\"name\" value=\"{name}\" required maxlength=\"255\" autocomplete=\"off\"></label>\
         <button>Rename</button></form>\
         <form method=\"post\" action=\"?do=delete\"><button class=\"danger\">Put into the trash</button></form></div>"
    ));
}

fn versions(page: &mut Page, versions: &[Version]) {
    if versions.is_empty() {
        return;
    }
    page.raw("<h2>Earlier versions</h2><ul class=\"rows\">");
    for version in versions {
        let id = version.id.0;
        page.raw(&format!(
            "<li><span>{} UTC, {}</span><a href=\"?version={id}\">Download</a>\
             <form method=\"post\" action=\"?do=version\"><input type=\"hidden\" name=\"id\" value=\"{id}\">\
             <button>Make it the present one</button></form></li>",
            time(version.modified_at),
            size(version.size),
        ));
    }
    page.raw("</ul>");
}

async fn sharing(page: &mut Page, files: &Files, path: &FilePath, node: &Node) -> Result<(), Refusal> {
    let is_here = |place: &Option<FilePath>| place.as_ref() == Some(path);
    let grants = files.grants().await?;
    page.raw("<h2>Shared with</h2>");
    grants_of(page, grants.iter().filter(|grant| is_here(&grant.path)));
    page.raw(
        "<form method=\"post\" action=\"?do=share\"><label>Somebody on this server \
         <input type=\"email\" name=\"with\" required autocomplete=\"off\"></label><label>may \
         <select name=\"may\"><option value=\"read\">look at it</option><option value=\"write\">change it</option>\
         <option value=\"share\">change it and share it</option></select></label><button>Share</button></form>",
    );
    let links = files.links().await?;
    page.raw("<h2>Links for everybody</h2>");
    links_of(page, links.iter().filter(|link| is_here(&link.path)));
    let choice = match node.is_folder() {
        true => {
            "<label>What it is for <select name=\"for\"><option value=\"read\">looking at it</option>\
             <option value=\"upload\">sending files into it</option></select></label>"
        }
        false => "",
    };
    page.raw(&format!(
        "<form class=\"stack\" method=\"post\" action=\"?do=link\">{choice}\
         <label>Days until it ends (empty: never) <input type=\"number\" name=\"days\" min=\"1\" max=\"3650\"></label>\
         <label>Password (empty: none) <input type=\"password\" name=\"password\" autocomplete=\"new-password\"></label>\
         <button>Make a link</button></form>"
    ));
    Ok(())
}

fn grants_of<'a>(page: &mut Page, grants: impl Iterator<Item = &'a Grant>) {
    page.raw("<ul class=\"rows\">");
    for grant in grants {
        let who = escape(&grant.grantee.to_string());
        page.raw(&format!(
            "<li><span>{who} may {}</span><form method=\"post\" action=\"?do=unshare\">\
             <input type=\"hidden\" name=\"with\" value=\"{who}\"><button>Take back</button></form></li>",
            may(grant.access),
        ));
    }
    page.raw("</ul>");
}

/// As the form to share says it.
fn may(access: Access) -> &'static str {
    match access {
        Access::Read => "look at it",
        Access::Upload => "send files into it",
        Access::Write => "change it",
        Access::Share => "change it and share it",
    }
}

fn links_of<'a>(page: &mut Page, links: impl Iterator<Item = &'a Link>) {
    page.raw("<ul class=\"rows\">");
    for link in links {
        let id = link.id.0;
        let end = link.expires_at.map_or_else(String::new, |end| format!(", until {} UTC", time(end)));
        let password = if link.has_password { ", with a password" } else { "" };
        page.raw(&format!(
            "<li><span>Number {id}: {}, made {} UTC{end}{password}</span><form method=\"post\" action=\"?do=unlink\">\
             <input type=\"hidden\" name=\"id\" value=\"{id}\"><button>Remove</button></form></li>",
            if link.access == Access::Upload { "for sending files" } else { "for looking" },
            time(link.created_at),
        ));
    }
    page.raw("</ul>");
}

/// The address of a new link, which is told only now.
pub(crate) fn made(spot: &Spot, address: &str) -> Reply {
    let mut page = list::page(spot, "The link is made", None);
    let address = escape(address);
    page.raw(&format!(
        "<p>Whoever has this address can use it. It is shown only now:</p>\
         <p><a class=\"address\" href=\"{address}\">{address}</a></p><p><a href=\"?details\">Back</a></p>"
    ));
    page.reply(StatusCode::OK)
}
