//! What is granted to others, and who is told of changes.

use super::*;

async fn twin(hub: &Hub, name: &str) -> Account {
    hub.login(name, &Secret::new(name), Door::Dav).await.expect("right")
}

fn handle(name: &str) -> Address {
    Address::parse(&format!("{name}@example.org")).expect("an address")
}

async fn files_at(account: &Account, at: &FilePath) -> Result<(Files, FilePath)> {
    match account.reach(at).await? {
        Reached::Own(files) => Ok((files, at.clone())),
        Reached::Granted { files, rest, .. } => Ok((files, rest)),
        Reached::Shares(..) => Err(Error::Forbidden("nobody's")),
    }
}

#[tokio::test]
async fn grants_open_a_part_and_end_at_once() {
    let Fixture { hub, files, .. } = &fixture().await;
    let bob = twin(hub, "bob").await;
    folder(files, "a").await;
    folder(files, "a/shared").await;
    write(files, "a/shared/f", b"x").await;
    write(files, "a/own", b"secret").await;
    files.grant(&path("a/shared"), &handle("bob"), Access::Read).await.expect("granted");
    let at = path("Shared with me/alice@example.org/shared/f");
    let (seen, rest) = files_at(&bob, &at).await.expect("shared");
    assert_eq!(rest, path("f"));
    assert_eq!(read(&seen, "f").await, b"x");
    assert!(matches!(try_write(&seen, "g", b"y", none()).await, Err(Error::Forbidden(_))));
    assert!(matches!(
        seen.grant(&path("f"), &handle("bob"), Access::Read).await,
        Err(Error::Forbidden(_)) | Err(Error::Invalid(_))
    ));

    files.grant(&path("a/shared"), &handle("bob"), Access::Write).await.expect("changed");
    assert!(matches!(try_write(&seen, "g", b"y", none()).await, Err(Error::Forbidden(_))), "opened to read");
    let (seen, _) = files_at(&bob, &at).await.expect("shared");
    write(&seen, "g", b"by bob").await;
    assert_eq!(read(files, "a/shared/g").await, b"by bob");
    assert_eq!(used(&bob.files()).await, 0, "the owner's quota counts");
    assert!(used(files).await > 6);
    // Counters above what is shared are true.
    assert_eq!(files.lookup(&path("")).await.expect("there").size, 13);
    // A lock is one for all who see it.
    let (lock, _) = seen.lock(&path("g"), exclusive(false), none()).await.expect("locked");
    assert_eq!(
        (lock.root.clone(), files.locks().await.expect("read")[0].root.clone()),
        (path("g"), path("a/shared/g"))
    );
    assert!(matches!(
        try_write(files, "a/shared/g", b"z", with(&lock.token)).await,
        Err(Error::Locked { .. })
    ));
    try_write(&seen, "g", b"z", with(&lock.token)).await.expect("its holder may");
    let all = files.lock(&path("a"), exclusive(true), none()).await;
    assert!(matches!(all, Err(Error::Locked { root }) if root == "a/shared/g"));
    assert!(matches!(seen.delete(&path(""), none()).await, Err(Error::Forbidden(_))));
    assert!(matches!(seen.trash().await, Err(Error::Forbidden(_))));

    files.revoke(&path("a/shared"), &handle("bob")).await.expect("revoked");
    assert!(files.locks().await.expect("read").is_empty());
    assert!(matches!(try_write(&seen, "g", b"late", none()).await, Err(Error::NotFound(_))), "at once");
    let (own, _) = files_at(&bob, &at).await.expect("a name like any other");
    assert!(matches!(own.lookup(&at).await, Err(Error::NotFound(_))));
    assert!(bob.shares().await.expect("read").is_none());
    assert!(matches!(files.revoke(&path("a/shared"), &handle("bob")).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn what_is_shared_has_names_and_is_not_in_the_trash() {
    let Fixture { hub, files, .. } = &fixture().await;
    let bob = twin(hub, "bob").await;
    for name in ["a", "a/x", "b", "b/x"] {
        folder(files, name).await;
    }
    for at in ["a/x", "b/x"] {
        files.grant(&path(at), &handle("bob"), Access::Share).await.expect("granted");
    }
    let names = async || -> Vec<String> {
        bob.granted().await.expect("read").into_iter().map(|one| one.node.name).collect()
    };
    assert_eq!(names().await, ["x", "x (2)"]);
    files.delete(&path("b"), none()).await.expect("deleted");
    assert_eq!(names().await, ["x"]);
    assert!(matches!(files_at(&bob, &path("Shared with me")).await, Err(Error::Forbidden(_))));
    let (own, rest) = files_at(&bob, &path("x/y")).await.expect("its own");
    assert!(rest == path("x/y") && own.lookup(&path("")).await.is_ok());
    assert!(matches!(files.grant(&path("a"), &handle("alice"), Access::Read).await, Err(Error::Invalid(_))));
    assert!(matches!(files.grant(&path("a"), &handle("nobody"), Access::Read).await, Err(Error::Invalid(_))));
    assert!(matches!(files.grant(&path(""), &handle("bob"), Access::Read).await, Err(Error::Forbidden(_))));
    assert_eq!(files.grants().await.expect("read").len(), 2);
}

#[tokio::test]
async fn what_is_the_twins_own_keeps_its_name() {
    let Fixture { hub, files, .. } = &fixture().await;
    let bob = twin(hub, "bob").await;
    folder(&bob.files(), SHARED).await;
    write(&bob.files(), "Shared with me/own", b"bob's").await;
    folder(files, "a").await;
    files.grant(&path("a"), &handle("bob"), Access::Read).await.expect("granted");
    let shares = bob.shares().await.expect("read").expect("some");
    assert_eq!(shares.name, "Shared with me (2)");
    let (own, at) = files_at(&bob, &path("Shared with me/own")).await.expect("there");
    assert_eq!(read(&own, &at.to_string()).await, b"bob's");
    let granted = shares.granted(None).next().expect("one");
    let at = granted.path(&shares).expect("a path");
    assert_eq!(at, path("Shared with me (2)/alice@example.org/a"));
    assert!(matches!(bob.reach(&at).await, Ok(Reached::Granted { rest, .. }) if rest.is_root()));
    let nobody = path("Shared with me (2)/nobody@example.org");
    assert!(matches!(bob.reach(&nobody).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn what_is_shared_is_copied_and_moved_between_twins() {
    let Fixture { hub, files, .. } = &fixture().await;
    let bob = twin(hub, "bob").await;
    let own = bob.files();
    folder(files, "a").await;
    folder(files, "a/sub").await;
    write(files, "a/sub/f", b"alice's").await;
    write(&own, "mine", b"bob's").await;
    files.grant(&path("a"), &handle("bob"), Access::Read).await.expect("granted");
    let (seen, _) = files_at(&bob, &path("Shared with me/alice@example.org/a")).await.expect("shared");
    let all = CopyDepth::Infinity;
    seen.copy(&path(""), (&own, &path("copy")), all, Overwrite::Refuse, none()).await.expect("may be read");
    assert_eq!(read(&own, "copy/sub/f").await, b"alice's");
    let moved = seen.rename(&path("sub"), (&own, &path("x")), Overwrite::Refuse, none()).await;
    assert!(matches!(moved, Err(Error::Forbidden(_))));
    let into = own.copy(&path("mine"), (&seen, &path("mine")), all, Overwrite::Refuse, none()).await;
    assert!(matches!(into, Err(Error::Forbidden(_))));

    files.grant(&path("a"), &handle("bob"), Access::Write).await.expect("changed");
    let (seen, _) = files_at(&bob, &path("Shared with me/alice@example.org/a")).await.expect("shared");
    let before = used(&own).await;
    own.rename(&path("mine"), (&seen, &path("mine")), Overwrite::Refuse, none()).await.expect("moved in");
    assert_eq!(read(files, "a/mine").await, b"bob's");
    assert_eq!(own.trash().await.expect("read")[0].path, "mine");
    assert_eq!(used(&own).await, before, "until it leaves the trash");
    seen.rename(&path("sub"), (&own, &path("sub")), Overwrite::Refuse, none()).await.expect("moved out");
    assert_eq!(read(&own, "sub/f").await, b"alice's");
    assert_eq!(files.trash().await.expect("read")[0].path, "a/sub", "the owner can have it back");
    let top = seen.rename(&path(""), (&own, &path("top")), Overwrite::Refuse, none()).await;
    assert!(matches!(top, Err(Error::Forbidden(_))));
}

/// Two grants of one owner that overlap are still one tree.
#[tokio::test]
async fn nothing_moves_into_itself_by_another_grant() {
    let Fixture { hub, files, .. } = &fixture().await;
    let bob = twin(hub, "bob").await;
    for name in ["a", "a/b", "a/b/c"] {
        folder(files, name).await;
    }
    for name in ["a", "a/b/c"] {
        files.grant(&path(name), &handle("bob"), Access::Write).await.expect("granted");
    }
    let (outer, _) = files_at(&bob, &path("Shared with me/alice@example.org/a")).await.expect("shared");
    let (inner, _) = files_at(&bob, &path("Shared with me/alice@example.org/c")).await.expect("shared");
    let moved = outer.rename(&path("b"), (&inner, &path("b")), Overwrite::Allow, none()).await;
    assert!(matches!(moved, Err(Error::Forbidden(_))));
    let (from, to) = (path("b"), path("b"));
    let copied = outer.copy(&from, (&inner, &to), CopyDepth::Infinity, Overwrite::Allow, none()).await;
    assert!(matches!(copied, Err(Error::Forbidden(_))));
    write(&inner, "f", b"x").await;
    inner.rename(&path("f"), (&outer, &path("g")), Overwrite::Refuse, none()).await.expect("moved");
    assert_eq!(read(files, "a/g").await, b"x");
    // Whose lock is in the way is told, where the owner has it is not.
    files.lock(&path("a"), exclusive(true), none()).await.expect("locked");
    let locked = try_write(&inner, "f", b"x", none()).await;
    assert!(matches!(locked, Err(Error::Locked { root }) if root.is_empty()));
}

/// A file that is granted by itself is changed in its place.
#[tokio::test]
async fn a_single_file_is_written() {
    let Fixture { hub, files, .. } = &fixture().await;
    let bob = twin(hub, "bob").await;
    folder(files, "a").await;
    write(files, "a/f.txt", b"first").await;
    files.grant(&path("a/f.txt"), &handle("bob"), Access::Write).await.expect("granted");
    let (seen, at) = files_at(&bob, &path("Shared with me/alice@example.org/f.txt")).await.expect("shared");
    assert!(at.is_root());
    write(&seen, "", b"second").await;
    assert_eq!(read(files, "a/f.txt").await, b"second");
    assert_eq!(files.lookup(&path("")).await.expect("there").size, 6);
    assert_eq!(files.versions(&path("a/f.txt")).await.expect("read").len(), 1);
}

#[tokio::test]
async fn links_are_for_reading_or_for_adding() {
    let Fixture { hub, files, .. } = &fixture().await;
    folder(files, "a").await;
    write(files, "a/f", b"x").await;
    let request = LinkRequest { access: Access::Read, password: None, expires_at: None };
    let (id, token) = files.add_link(&path("a"), request.clone()).await.expect("made");
    let visitor = hub.open_link(token.expose(), None).await.expect("opens");
    assert_eq!((names(&visitor, "").await, read(&visitor, "f").await), (vec!["f".to_owned()], b"x".to_vec()));
    assert!(matches!(try_write(&visitor, "g", b"y", none()).await, Err(Error::Forbidden(_))));
    assert!(matches!(hub.open_link(&"a".repeat(32), None).await, Err(Error::NotFound(_))));

    let upload = LinkRequest { access: Access::Upload, ..request.clone() };
    let (_, token) = files.add_link(&path("a"), upload.clone()).await.expect("made");
    let visitor = hub.open_link(token.expose(), None).await.expect("opens");
    write(&visitor, "g", b"y").await;
    assert!(
        matches!(try_write(&visitor, "f", b"y", none()).await, Err(Error::Exists(_))),
        "nothing is replaced"
    );
    assert!(matches!(visitor.lookup(&path("f")).await, Err(Error::Forbidden(_))), "nothing is seen");
    assert!(matches!(visitor.delete(&path("g"), none()).await, Err(Error::Forbidden(_))));
    assert!(matches!(visitor.make_folder(&path("d"), vec![], none()).await, Err(Error::Forbidden(_))));
    assert!(matches!(files.add_link(&path("a/f"), upload).await, Err(Error::Forbidden(_))), "a file");

    let secret = Secret::new("open sesame");
    let guarded = LinkRequest { password: Some(secret.clone()), ..request.clone() };
    let (_, token) = files.add_link(&path("a/f"), guarded).await.expect("made");
    for wrong in [None, Some(Secret::new("wrong"))] {
        assert!(matches!(hub.open_link(token.expose(), wrong.as_ref()).await, Err(Error::BadCredentials)));
    }
    let visitor = hub.open_link(token.expose(), Some(&secret)).await.expect("opens");
    assert_eq!(read(&visitor, "").await, b"x", "the file itself");

    let past = LinkRequest { expires_at: Some(1), ..request };
    let (_, token) = files.add_link(&path("a"), past).await.expect("made");
    assert!(matches!(hub.open_link(token.expose(), None).await, Err(Error::NotFound(_))));
    assert_eq!(files.links().await.expect("read").len(), 4);
    files.remove_link(id).await.expect("removed");
    assert!(matches!(files.remove_link(id).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn who_watches_is_told_after_the_commit() {
    let Fixture { files, hub, .. } = &fixture().await;
    let (mut first, mut second) = (files.watch(), files.watch());
    let node = write(files, "f", b"x").await;
    assert_eq!((first.changed().await, second.changed().await), (node.modseq, node.modseq));
    let bob = twin(hub, "bob").await.files();
    write(&bob, "f", b"x").await;
    files.delete(&path("f"), none()).await.expect("deleted");
    let top = files.lookup(&path("")).await.expect("there");
    assert_eq!(first.changed().await, top.modseq, "of the twin's own files only");
}
