//! What was deleted, and getting it back.

use hyper::StatusCode;

use crate::html::{escape, size, time};
use crate::status::Refusal;
use crate::visitor::Spot;
use crate::{Reply, list};

pub(crate) async fn answer(spot: &Spot, done: Option<&str>) -> Result<Reply, Refusal> {
    let (files, _) = spot.files()?;
    let trashed = files.trash().await?;
    let mut page = list::page(spot, "Trash", done);
    if trashed.is_empty() {
        page.raw("<p>There is nothing in the trash.</p>");
        return Ok(page.reply(StatusCode::OK));
    }
    page.raw(
        "<p>The newest thousand. What is in the trash still takes room, and is removed after a while.</p>\
         <form method=\"post\" action=\"/files/?do=empty\"><label><input type=\"checkbox\" name=\"sure\" value=\"yes\" required> \
         Nothing of it is needed any more</label><button class=\"danger\">Empty the trash</button></form><ul class=\"rows\">",
    );
    for one in trashed {
        page.raw(&format!(
            "<li><span><b>{}</b> ({}), deleted {} UTC</span><form method=\"post\" action=\"/files/?do=restore\">\
             <input type=\"hidden\" name=\"id\" value=\"{}\"><button>Restore</button>\
             <button class=\"danger\" formaction=\"/files/?do=purge\">Remove for good</button></form></li>",
            escape(&one.path),
            size(one.node.size),
            time(one.trashed_at),
            one.node.id.0,
        ));
    }
    page.raw("</ul>");
    Ok(page.reply(StatusCode::OK))
}
