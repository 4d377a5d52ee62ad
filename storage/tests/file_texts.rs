//! The texts of files' contents: found out once, indexed apart from the mail, gone with the content.

use std::sync::Arc;

use super::{Place as Database, account};
use crate::files::{self, Content, NewNode, NodeId, NodeRow, Place, TextForm};
use crate::{AccountId, BlobId, Corpus, IdSet, Storage, TermBatch, accounts};

async fn put(storage: &Storage, account: AccountId, name: &str, text: &str) -> NodeRow {
    let mut spool = storage.spool();
    spool.write(text.as_bytes()).await.expect("written");
    let content = Content::New(Arc::new(spool.finish().await.expect("staged")));
    let place = Place { above: vec![NodeId::FILES], key: name.to_owned(), name: name.to_owned() };
    let (content_type, checksum) = (String::new(), String::new());
    let new = NewNode { is_folder: false, content, content_type, checksum, created_at: 1, modified_at: 2 };
    let made = storage.transact([account], move |tx| {
        Box::pin(async move { files::create(tx, account, &place, new).await })
    });
    made.await.expect("made")
}

async fn unread(storage: &Storage, account: AccountId) -> Vec<u64> {
    let nodes = storage.nodes_after(account, NodeId(0), 1_000).await.expect("listed");
    let mut sizes: Vec<u64> =
        storage.unread_contents(account, &nodes).await.expect("listed").into_values().collect();
    sizes.sort_unstable();
    sizes
}

fn blob(node: &NodeRow) -> BlobId {
    node.blob.expect("a content")
}

pub(crate) async fn contents_are_read_once(database: Database) {
    let storage = database.open().await;
    let (alice, _) = account(&storage, "alice", 0).await;
    let (bob, _) = account(&storage, "bob", 0).await;
    let one = put(&storage, alice, "one", "1").await;
    put(&storage, alice, "the same", "1").await;
    let two = put(&storage, alice, "two", "22").await;
    let three = put(&storage, alice, "three", "333").await;
    put(&storage, bob, "one", "1").await;
    assert_eq!(unread(&storage, alice).await, [1, 2, 3]);
    let long = "text ".repeat(1_000);
    let forms = [TextForm::Itself(1), TextForm::Beside(long.clone()), TextForm::Nothing];
    let texts: Vec<(BlobId, TextForm)> =
        [blob(&one), blob(&two), blob(&three)].into_iter().zip(forms).collect();
    storage.add_texts(alice, texts.clone()).await.expect("kept");
    // Twice is once; and what is not there is not noted.
    let mut again = texts.clone();
    again.push((BlobId([7; 32]), TextForm::Nothing));
    storage.add_texts(alice, again).await.expect("kept");
    assert_eq!((unread(&storage, alice).await, unread(&storage, bob).await), (vec![], vec![1]));

    let mut known =
        storage.known_texts(alice, &texts.iter().map(|(blob, _)| *blob).collect::<Vec<_>>()).await;
    let known = known.as_mut().expect("known");
    known.sort_by_key(|text| text.id);
    assert_eq!(known.iter().map(|text| text.has_text).collect::<Vec<_>>(), [true, true, false]);
    let ids: Vec<i64> = known.iter().map(|text| text.id).collect();
    let mut kept = storage.texts(alice, &ids).await.expect("read");
    kept.sort_by_key(|(id, ..)| *id);
    assert_eq!(kept.into_iter().map(|(_, blob, form)| (blob, form)).collect::<Vec<_>>(), texts);

    // Only what has a text is indexed.
    let listed = storage.unindexed(alice, Corpus::Files, 10).await.expect("listed");
    assert_eq!(listed, [(ids[0], 1), (ids[1], long.len() as u64)]);
    assert!(storage.unindexed(alice, Corpus::Mail, 10).await.expect("listed").is_empty());
    let mut batch = TermBatch::new();
    batch.push(ids[0], [5, 6]);
    batch.push(ids[1], [6]);
    storage.index_terms(alice, Corpus::Files, batch).await.expect("indexed");
    let answer = storage.candidates(alice, Corpus::Files, &[vec![5], vec![6]]).await.expect("answered");
    let set = |ids: &[i64]| ids.iter().map(|id| *id as u64).collect::<IdSet>();
    assert_eq!(answer.indexed, set(&ids[..2]));
    assert_eq!(answer.matching, [set(&ids[..1]), set(&ids[..2])]);
    let mail = storage.candidates(alice, Corpus::Mail, &[vec![5]]).await.expect("answered");
    assert!(mail.indexed.is_empty(), "each has its own index");
    assert!(!storage.merge_terms(alice, Corpus::Files).await.expect("looked"), "nothing has gone");

    gone_with_the_content(&storage, alice, &[one, two]).await;
    let (read, now) = storage.files_read(alice).await.expect("read");
    assert!(read < now);
    storage.set_files_read(alice, now).await.expect("noted");
    assert_eq!(storage.files_read(alice).await.expect("read"), (now, now));
    let removed = storage.transact([alice], move |tx| Box::pin(accounts::remove_account(tx, alice)));
    removed.await.expect("removed");
    assert!(storage.known_texts(alice, &[blob(&three)]).await.expect("known").is_empty());
    assert!(storage.add_texts(alice, texts).await.is_err(), "nothing of a removed account is written");
}

/// "one" lies in two files, of which one goes; "two" goes altogether.
async fn gone_with_the_content(storage: &Storage, account: AccountId, nodes: &[NodeRow]) {
    for node in nodes {
        let node = node.clone();
        let removed = storage.transact([account], move |tx| {
            Box::pin(async move { files::remove(tx, account, &node, &[NodeId::FILES]).await })
        });
        removed.await.expect("removed");
    }
    while storage.reclaim_files().await.expect("reclaimed") {}
    let later =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs() as i64;
    while storage.reclaim(later + 1_000_000).await.expect("reclaimed") {}
    let blobs: Vec<BlobId> = nodes.iter().map(blob).collect();
    let known = storage.known_texts(account, &blobs).await.expect("known");
    assert_eq!(known.iter().map(|text| text.blob).collect::<Vec<_>>(), blobs[..1]);
}
