//! `Shared with me`: what a grantee sees and may do, and what it may not.

use hub::Address;
use hub::files::{Access, FilePath};

use crate::world::{ALICE, Answer, BOB, HOME, World};

const BOBS: &str = "/dav/files/bob@example.org/";
/// Where Bob finds what Alice has granted.
const FROM_ALICE: &str = "/dav/files/bob@example.org/Shared%20with%20me/alice@example.org/";

/// Alice has `work/plan/{a.txt,sub/b.txt}` and `work/secret.txt`; Bob was granted `work/plan`.
async fn world(access: Access) -> World {
    let world = World::new().await;
    for folder in ["work", "work/plan", "work/plan/sub"] {
        world.mkcol(folder).await;
    }
    for (path, content) in [("a.txt", "one"), ("sub/b.txt", "two"), ("../secret.txt", "three")] {
        let path = format!("work/plan/{path}").replace("plan/../", "");
        world.put(&path, content).await;
    }
    grant(&world, "work/plan", access).await;
    world
}

async fn grant(world: &World, path: &str, access: Access) {
    let files = world.account(ALICE).await.files();
    let bob = Address::parse(BOB).expect("an address");
    files.grant(&FilePath::parse(path).expect("a path"), &bob, access).await.expect("granted");
}

async fn revoke(world: &World, path: &str) {
    let files = world.account(ALICE).await.files();
    let bob = Address::parse(BOB).expect("an address");
    files.revoke(&FilePath::parse(path).expect("a path"), &bob).await.expect("revoked");
}

impl World {
    async fn bob(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        self.send_as(BOB, method, path, fields, body).await
    }

    /// What Bob sees at a depth below a path.
    async fn seen(&self, path: &str, depth: &str) -> Vec<String> {
        let answer = self.bob("PROPFIND", path, &[("depth", depth)], "").await;
        assert_eq!(answer.status, 207, "{path}: {}", answer.text());
        let hrefs = answer.text().split("<D:response><D:href>").skip(1);
        let mut hrefs: Vec<String> =
            hrefs.map(|rest| rest.split('<').next().unwrap_or_default().to_owned()).collect();
        hrefs.sort();
        hrefs
    }

    /// One property of a resource as Bob sees it.
    async fn property(&self, path: &str, name: &str) -> String {
        let body = format!(
            "<propfind xmlns='DAV:' xmlns:o='http://owncloud.org/ns'><prop><{name}/></prop></propfind>"
        );
        let answer = self.bob("PROPFIND", path, &[("depth", "0")], &body).await;
        assert_eq!(answer.status, 207, "{path}: {}", answer.text());
        let text = answer.text().to_owned();
        let from = text.find("<D:prop>").expect("a prop") + 8;
        text[from..text.find("</D:prop>").expect("its end")].to_owned()
    }
}

#[tokio::test]
async fn a_grantee_finds_what_was_granted_and_nothing_else() {
    let world = world(Access::Read).await;
    let (shared, plan) = (format!("{BOBS}Shared%20with%20me/"), format!("{FROM_ALICE}plan/"));
    assert_eq!(world.seen(BOBS, "1").await, [BOBS, &shared]);
    assert_eq!(world.seen(&shared, "1").await, [&shared, FROM_ALICE]);
    assert_eq!(world.seen(FROM_ALICE, "1").await, [FROM_ALICE, &plan]);
    let all = ["", "a.txt", "sub/", "sub/b.txt"].map(|path| format!("{plan}{path}"));
    assert_eq!(world.seen(&plan, "infinity").await, all);
    let mut tree = vec![BOBS.to_owned(), shared.clone(), FROM_ALICE.to_owned()];
    tree.extend(all);
    assert_eq!(world.seen(BOBS, "infinity").await, tree);
    assert_eq!(world.seen(&shared, "infinity").await, tree[1..]);
    assert_eq!(world.bob("GET", &format!("{plan}sub/b.txt"), &[], "").await.text(), "two");
    let part = world.bob("GET", &format!("{plan}a.txt"), &[("range", "bytes=1-")], "").await;
    assert_eq!((part.status, part.text()), (206, "ne"));

    for path in
        ["secret.txt", "plan/../secret.txt", "plan/%2e%2e/secret.txt", "work/secret.txt", "plan/sub/c"]
    {
        let answer = world.bob("GET", &format!("{FROM_ALICE}{path}"), &[], "").await;
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    let other = format!("{BOBS}Shared%20with%20me/carol@example.org/");
    assert_eq!(world.bob("PROPFIND", &other, &[("depth", "0")], "").await.status, 404);
    assert_eq!(world.bob("GET", &format!("{HOME}work/plan/a.txt"), &[], "").await.status, 403);
}

#[tokio::test]
async fn a_grant_to_read_is_for_reading() {
    let world = world(Access::Read).await;
    let plan = format!("{FROM_ALICE}plan/");
    let lock =
        "<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>";
    let patch = "<propertyupdate xmlns='DAV:'><set><prop><x xmlns='a:'>1</x></prop></set></propertyupdate>";
    let own = format!("{BOBS}own.txt");
    assert_eq!(world.bob("PUT", &own, &[], "bob's").await.status, 201);
    for (method, path, destination, body) in [
        ("PUT", format!("{plan}a.txt"), "", "x"),
        ("PUT", format!("{plan}new.txt"), "", "x"),
        ("MKCOL", format!("{plan}new"), "", ""),
        ("DELETE", format!("{plan}a.txt"), "", ""),
        ("DELETE", plan.clone(), "", ""),
        ("MOVE", format!("{plan}a.txt"), "mine.txt", ""),
        ("MOVE", plan.clone(), "mine", ""),
        ("MOVE", own.clone(), "Shared%20with%20me/alice@example.org/plan/x", ""),
        ("COPY", own.clone(), "Shared%20with%20me/alice@example.org/plan/x", ""),
        ("LOCK", format!("{plan}a.txt"), "", lock),
        ("PROPPATCH", format!("{plan}a.txt"), "", patch),
    ] {
        let destination = if destination.is_empty() { String::new() } else { format!("{BOBS}{destination}") };
        let answer = world.bob(method, &path, &[("destination", &destination)], body).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
    }
    assert_eq!(world.get("work/plan/a.txt").await.text(), "one");
    // But it can be kept: alone, and as a whole.
    for (path, name) in [(format!("{plan}a.txt"), "a.txt"), (plan.clone(), "plan")] {
        let destination = format!("{BOBS}{name}");
        let answer = world.bob("COPY", &path, &[("destination", &destination)], "").await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    assert_eq!(world.bob("GET", &format!("{BOBS}plan/sub/b.txt"), &[], "").await.text(), "two");
}

#[tokio::test]
async fn a_grant_to_write_is_for_all_methods() {
    let world = world(Access::Write).await;
    let plan = format!("{FROM_ALICE}plan/");
    let at = |path: &str| format!("{plan}{path}");
    assert_eq!(world.bob("PUT", &at("a.txt"), &[], "by bob").await.status, 204);
    assert_eq!(world.get("work/plan/a.txt").await.text(), "by bob");
    assert_eq!(world.bob("MKCOL", &at("new"), &[], "").await.status, 201);
    let moved = world.bob("MOVE", &at("sub/b.txt"), &[("destination", &at("new/c.txt"))], "").await;
    assert_eq!((moved.status, moved.field("location")), (201, Some(at("new/c.txt").as_str())));
    assert_eq!(world.get("work/plan/new/c.txt").await.text(), "two");

    // In and out of it; what was there is in its owner's trash.
    assert_eq!(world.bob("PUT", &format!("{BOBS}own.txt"), &[], "bob's").await.status, 201);
    let moved = [("destination", at("in.txt"))];
    let fields = moved.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(world.bob("MOVE", &format!("{BOBS}own.txt"), &fields, "").await.status, 201);
    assert_eq!(world.get("work/plan/in.txt").await.text(), "bob's");
    let out = format!("{BOBS}out");
    assert_eq!(world.bob("MOVE", &at("new"), &[("destination", &out)], "").await.status, 201);
    assert_eq!(world.bob("GET", &format!("{out}/c.txt"), &[], "").await.text(), "two");
    assert_eq!(world.get("work/plan/new/c.txt").await.status, 404);
    assert_eq!(world.bob("DELETE", &at("in.txt"), &[], "").await.status, 204);
    let trash = world.account(ALICE).await.files().trash().await.expect("read");
    let mut paths: Vec<&str> = trash.iter().map(|one| one.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["work/plan/in.txt", "work/plan/new"]);

    // The granted folder itself, and those above, are not Bob's.
    for (method, path) in [
        ("DELETE", plan.clone()),
        ("DELETE", FROM_ALICE.to_owned()),
        ("DELETE", format!("{BOBS}Shared%20with%20me")),
        ("MOVE", plan.clone()),
        ("MOVE", format!("{BOBS}Shared%20with%20me")),
        ("MKCOL", format!("{BOBS}Shared%20with%20me/x")),
        ("PUT", format!("{FROM_ALICE}x")),
        ("MKCOL", format!("{BOBS}Shared%20with%20me")),
    ] {
        let answer = world.bob(method, &path, &[("destination", &format!("{BOBS}x"))], "").await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
    }
}

#[tokio::test]
async fn locks_are_one_for_all_who_see_a_file() {
    let world = world(Access::Write).await;
    let file = format!("{FROM_ALICE}plan/a.txt");
    let lock =
        "<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>";
    let locked = world.bob("LOCK", &file, &[], lock).await;
    assert_eq!(locked.status, 200, "{}", locked.text());
    assert!(locked.text().contains(&format!("<D:lockroot><D:href>{file}</D:href></D:lockroot>")));
    let token = locked.field("lock-token").expect("a token").to_owned();
    let theirs = world.send("PUT", &format!("{HOME}work/plan/a.txt"), &[], "x").await;
    assert_eq!(theirs.status, 423);
    assert!(theirs.text().contains(&format!("{HOME}work/plan/a.txt")));
    let condition = format!("<{file}> ({token})");
    assert_eq!(world.bob("PUT", &file, &[("if", &condition)], "bob").await.status, 204);
    assert_eq!(world.bob("UNLOCK", &file, &[("lock-token", &token)], "").await.status, 204);

    // Where the owner's lock lies is nobody's business.
    let work = world.send("LOCK", &format!("{HOME}work/"), &[], lock).await;
    assert_eq!(work.status, 200);
    let answer = world.bob("PUT", &file, &[], "x").await;
    assert_eq!(answer.status, 423);
    assert!(answer.text().contains(&format!("<D:href>{FROM_ALICE}plan/</D:href>")), "{}", answer.text());
}

#[tokio::test]
async fn properties_tell_the_rights() {
    let world = world(Access::Read).await;
    let file = format!("{FROM_ALICE}plan/a.txt");
    let privilege = |name: &str| format!("<D:privilege><D:{name}/></D:privilege>");
    let own = world.property(&file, "current-user-privilege-set").await;
    assert!(own.contains(&privilege("read")) && !own.contains(&privilege("write")), "{own}");
    assert!(world.property(&file, "owner").await.contains("/dav/principals/alice@example.org/"));
    assert!(world.property(&file, "o:permissions").await.contains(">SG<"));
    grant(&world, "work/plan", Access::Write).await;
    let own = world.property(&file, "current-user-privilege-set").await;
    assert!(["write", "bind", "unbind"].iter().all(|name| own.contains(&privilege(name))), "{own}");
    assert!(!own.contains(&privilege("all")) && !own.contains(&privilege("read-acl")), "{own}");
    assert!(world.property(&file, "o:permissions").await.contains(">SGDNVW<"));
    assert!(world.property(&format!("{FROM_ALICE}plan"), "o:permissions").await.contains(">SGCK<"));
    assert!(world.property(FROM_ALICE, "o:permissions").await.contains(">SG<"));
    // The owner's quota is charged, but how much the owner has in all is not told.
    let before = world.property(BOBS, "quota-used-bytes").await;
    assert_eq!(world.bob("PUT", &file, &[], &"x".repeat(1000)).await.status, 204);
    assert_eq!(world.property(BOBS, "quota-used-bytes").await, before);
    let told = world.property(&format!("{FROM_ALICE}plan"), "quota-used-bytes").await;
    assert_eq!(told, "<D:quota-used-bytes/>", "as what is not there");
}

/// Some programs look into a folder only if its etag has changed, from the top down.
#[tokio::test]
async fn etags_above_change_with_what_is_shared() {
    let world = world(Access::Read).await;
    let shared = format!("{BOBS}Shared%20with%20me/");
    let plan = format!("{FROM_ALICE}plan/");
    let all = async || {
        let mut etags = Vec::new();
        for path in [BOBS, &shared, FROM_ALICE, &plan] {
            etags.push(world.property(path, "getetag").await);
        }
        etags
    };
    let before = all().await;
    world.send("PUT", &format!("{HOME}work/plan/sub/b.txt"), &[], "changed").await;
    let after = all().await;
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{before:?} {after:?}");
    assert_eq!(after, all().await);
}

#[tokio::test]
async fn what_is_shared_is_synchronised_and_searched() {
    let world = world(Access::Read).await;
    let plan = format!("{FROM_ALICE}plan/");
    let sync = |token: &str| {
        format!(
            "<sync-collection xmlns='DAV:'><sync-token>{token}</sync-token><sync-level>infinite</sync-level>\
             <prop><getetag/></prop></sync-collection>"
        )
    };
    let first = world.bob("REPORT", &plan, &[], &sync("")).await;
    assert!(first.text().contains(&format!("<D:href>{plan}sub/b.txt</D:href>")), "{}", first.text());
    let token = first.text().split("<D:sync-token>").nth(1).expect("a token");
    let token = token.split('<').next().unwrap_or_default().to_owned();
    world.send("DELETE", &format!("{HOME}work/plan/sub/b.txt"), &[], "").await;
    world.put("work/other.txt", "not shared").await;
    let second = world.bob("REPORT", &plan, &[], &sync(&token)).await;
    assert!(second.text().contains(&format!("<D:href>{plan}sub/b.txt</D:href>")), "{}", second.text());
    assert!(!second.text().contains("other"), "{}", second.text());
    let search = format!(
        "<searchrequest xmlns='DAV:'><basicsearch><select><prop><getetag/></prop></select><from><scope>\
         <href>{plan}</href><depth>infinity</depth></scope></from><where><like><prop><displayname/></prop>\
         <literal>a%</literal></like></where></basicsearch></searchrequest>"
    );
    let found = world.bob("SEARCH", BOBS, &[], &search).await;
    assert_eq!(found.text().matches("<D:response>").count(), 1, "{}", found.text());
    assert!(found.text().contains(&format!("<D:href>{plan}a.txt</D:href>")), "{}", found.text());
}

#[tokio::test]
async fn a_grant_ends_at_once() {
    let world = world(Access::Write).await;
    let file = format!("{FROM_ALICE}plan/a.txt");
    let lock =
        "<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>";
    assert_eq!(world.bob("LOCK", &file, &[], lock).await.status, 200);
    revoke(&world, "work/plan").await;
    assert_eq!(world.bob("GET", &file, &[], "").await.status, 404);
    assert_eq!(world.bob("PUT", &file, &[], "x").await.status, 409, "a path like any other");
    assert_eq!(world.seen(BOBS, "1").await, [BOBS], "no folder without anything in it");
    let own = world.send("PUT", &format!("{HOME}work/plan/a.txt"), &[], "x").await;
    assert_eq!(own.status, 204, "its lock has ended, too");
    // What is in the trash is not shared.
    grant(&world, "work/plan", Access::Read).await;
    assert_eq!(world.bob("GET", &file, &[], "").await.status, 200);
    world.send("DELETE", &format!("{HOME}work"), &[], "").await;
    assert_eq!(world.bob("GET", &file, &[], "").await.status, 404);
}

#[tokio::test]
async fn names_that_clash_have_numbers() {
    let world = world(Access::Read).await;
    world.mkcol("plan").await;
    world.put("plan/other.txt", "x").await;
    world.put("note.txt", "alone").await;
    grant(&world, "plan", Access::Read).await;
    grant(&world, "note.txt", Access::Write).await;
    let names = ["", "note.txt", "plan%20(2)/", "plan/"].map(|name| format!("{FROM_ALICE}{name}"));
    assert_eq!(world.seen(FROM_ALICE, "1").await, names);
    let other = world.bob("GET", &format!("{FROM_ALICE}plan%20(2)/other.txt"), &[], "").await;
    assert_eq!(other.text(), "x");
    // A file that is granted by itself is written in its place, and stays there.
    let note = format!("{FROM_ALICE}note.txt");
    assert_eq!(world.bob("PUT", &note, &[], "changed").await.status, 204);
    assert_eq!(world.get("note.txt").await.text(), "changed");
    assert_eq!(world.bob("DELETE", &note, &[], "").await.status, 403);
}

/// Something of Bob's own by that name is his, and shares get another.
#[tokio::test]
async fn a_folder_of_the_twins_own_wins() {
    let world = World::new().await;
    let own = format!("{BOBS}Shared%20with%20me/");
    assert_eq!(world.bob("MKCOL", &own, &[], "").await.status, 201);
    assert_eq!(world.bob("PUT", &format!("{own}mine.txt"), &[], "bob's").await.status, 201);
    world.put("f.txt", "alice's").await;
    grant(&world, "f.txt", Access::Read).await;
    let shared = format!("{BOBS}Shared%20with%20me%20(2)/");
    assert_eq!(world.seen(BOBS, "1").await, [BOBS.to_owned(), shared.clone(), own.clone()]);
    assert_eq!(world.bob("GET", &format!("{own}mine.txt"), &[], "").await.text(), "bob's");
    let file = world.bob("GET", &format!("{shared}alice@example.org/f.txt"), &[], "").await;
    assert_eq!(file.text(), "alice's");
}

/// RFC 4918 §10.4: `If` is heeded by every method.
#[tokio::test]
async fn reading_heeds_if() {
    let world = world(Access::Read).await;
    let file = format!("{FROM_ALICE}plan/a.txt");
    let etag = world.bob("HEAD", &file, &[], "").await.field("etag").expect("one").to_owned();
    for (condition, status) in [
        (format!("([{etag}])"), 200),
        ("([\"other\"])".to_owned(), 412),
        (format!("([\"other\"]) (Not <DAV:no-lock> [{etag}])"), 200),
        (format!("<{file}> ([{etag}])"), 200),
        (format!("<{FROM_ALICE}plan/sub/b.txt> ([{etag}])"), 412),
        ("(<urn:uuid:1>)".to_owned(), 412),
        ("(".to_owned(), 400),
    ] {
        let answer = world.bob("GET", &file, &[("if", &condition)], "").await;
        assert_eq!(answer.status, status, "{condition}");
    }
}
