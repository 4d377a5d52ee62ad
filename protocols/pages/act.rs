//! POST: what a form asks for. It ends in a redirect to a page that says what was done.

use std::time::{SystemTime, UNIX_EPOCH};

use hub::files::{Access, Conditions, FilePath, LinkId, LinkRequest, NodeId, Overwrite, VersionId};
use hub::{Address, Error, Secret};
use hyper::StatusCode;

use crate::form::{self, Fields};
use crate::show::redirect;
use crate::status::Refusal;
use crate::target::href;
use crate::visitor::Spot;
use crate::{Call, Reply, details, origin, upload};

/// Bytes of a form without files.
const MAX_FORM: usize = 64 << 10;
const DAY: i64 = 24 * 3600;

pub(crate) async fn answer(call: &mut Call, spot: &Spot) -> Result<Reply, Refusal> {
    let action = call.target.parameter("do").unwrap_or_default().to_owned();
    if action == "upload" {
        upload::receive(call, spot).await?;
        return Ok(redirect("?done=uploaded"));
    }
    let fields = form::read(&mut call.body, MAX_FORM).await?;
    match action.as_str() {
        "delete" => delete(spot).await,
        "empty" => empty(spot, &fields).await,
        "folder" => folder(spot, &fields).await,
        "link" => link(call, spot, &fields).await,
        "purge" => purge(spot, &fields).await,
        "rename" => rename(spot, &fields).await,
        "restore" => restore(spot, &fields).await,
        "share" => share(spot, &fields).await,
        "unlink" => unlink(spot, &fields).await,
        "unshare" => unshare(spot, &fields).await,
        "version" => version(spot, &fields).await,
        _ => Err(Refusal::Status(
            StatusCode::BAD_REQUEST,
            "Nothing was done",
            "The form asks for something that is not known here. Go back and reload the page.",
        )),
    }
}

async fn delete(spot: &Spot) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    files.delete(path, Conditions::default()).await?;
    Ok(redirect(&format!("{}?done=deleted", above(spot, path))))
}

/// The folder that something is in.
fn above(spot: &Spot, path: &FilePath) -> String {
    spot.href(&path.parent().unwrap_or_default(), true)
}

async fn folder(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    let path = path.join(fields.get("name").trim())?;
    files.make_folder(&path, Vec::new(), Conditions::default()).await?;
    Ok(redirect("?done=folder"))
}

async fn rename(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    let folder = path.parent().ok_or(Error::Forbidden("this stays where it is"))?;
    let to = folder.join(fields.get("name").trim())?;
    files.rename(path, (files, &to), Overwrite::Refuse, Conditions::default()).await?;
    Ok(redirect(&format!("{}?done=renamed", above(spot, path))))
}

async fn restore(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, _) = spot.files()?;
    files.restore(NodeId(number(fields.get("id"))?), None).await?;
    Ok(redirect("/files/?trash&done=restored"))
}

async fn purge(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, _) = spot.files()?;
    files.purge(NodeId(number(fields.get("id"))?)).await?;
    Ok(redirect("/files/?trash&done=purged"))
}

async fn empty(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, _) = spot.files()?;
    if fields.get("sure") != "yes" {
        let why = "What leaves the trash cannot be brought back: say that nothing of it is needed.";
        return Err(Refusal::Status(StatusCode::BAD_REQUEST, "The trash is as it was", why));
    }
    files.empty_trash().await?;
    Ok(redirect("/files/?trash&done=purged"))
}

async fn version(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    let id = VersionId(number(fields.get("id"))?);
    files.restore_version(path, id, Conditions::default()).await?;
    Ok(redirect("?details&done=version"))
}

async fn share(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    let access = Access::from_name(fields.get("may"));
    let access = access.ok_or(Error::Invalid("there is no such right".to_owned()))?;
    files.grant(path, &Address::parse(fields.get("with").trim())?, access).await?;
    Ok(redirect("?details&done=shared"))
}

async fn unshare(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    files.revoke(path, &Address::parse(fields.get("with").trim())?).await?;
    Ok(redirect("?details&done=unshared"))
}

/// The new address is on the page itself: it is kept nowhere.
async fn link(call: &Call, spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, path) = spot.files()?;
    let days = match fields.get("days").trim() {
        "" => None,
        days => Some(number(days)?.clamp(1, 36_500)),
    };
    let password = fields.get("password");
    let request = LinkRequest {
        access: if fields.get("for") == "upload" { Access::Upload } else { Access::Read },
        password: (!password.is_empty()).then(|| Secret::new(password)),
        expires_at: days.map(|days| now() + days * DAY),
    };
    let (_, token) = files.add_link(path, request).await?;
    let mut address = String::new();
    if let Some(origin) = origin::of(&call.head.headers) {
        let host = origin.authority().map_or("", |host| host.as_str());
        address = format!("{}://{host}", origin.scheme_str().unwrap_or("https"));
    }
    address.push_str(&href("/s/", token.expose(), false));
    Ok(details::made(spot, &address))
}

async fn unlink(spot: &Spot, fields: &Fields) -> Result<Reply, Refusal> {
    let (files, _) = spot.files()?;
    files.remove_link(LinkId(number(fields.get("id"))?)).await?;
    Ok(redirect("?details&done=link-removed"))
}

fn number(text: &str) -> Result<i64, Refusal> {
    text.trim().parse().map_err(|_| Error::Invalid("a number is none".to_owned()).into())
}

/// Unix seconds.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
