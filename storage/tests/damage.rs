//! What is not ours, or not sound, is named and left as it is.

use super::on_sqlite;
use crate::Error;

async fn refused(place: &super::Place) -> String {
    match place.try_open().await {
        Err(Error::Damaged(why)) => why,
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("opened"),
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let place = on_sqlite();
    let content = b"this was somebody's diary".repeat(300);
    std::fs::write(place.path().join("hub.db"), &content).expect("written");
    let why = refused(&place).await;
    assert!(why.contains("hub.db") && why.contains("restore"), "{why}");
    assert_eq!(std::fs::read(place.path().join("hub.db")).expect("read"), content);
}

#[tokio::test]
async fn a_newer_hubs_database_is_left_alone() {
    let place = on_sqlite();
    let storage = place.open().await;
    storage
        .transact([], |tx| {
            Box::pin(async move {
                tx.connection.execute("INSERT INTO schema_version (version) VALUES (99)", vec![]).await
            })
        })
        .await
        .expect("written");
    storage.close().await;
    drop(storage);
    let why = refused(&place).await;
    assert!(why.contains("99") && why.contains("newer"), "{why}");
}

#[tokio::test]
async fn a_foreign_database_is_left_alone() {
    let place = on_sqlite();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(place.path().join("hub.db"))
        .create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("opened");
    sqlx::raw_sql("CREATE TABLE account (money INTEGER)").execute(&pool).await.expect("made");
    pool.close().await;
    let why = refused(&place).await;
    assert!(why.contains("not Twin Hub's"), "{why}");
}

#[tokio::test]
async fn orphans_of_a_crash_are_swept() {
    let place = on_sqlite();
    let storage = place.open().await;
    let directory = place.path().join("blobs/aa");
    std::fs::create_dir_all(&directory).expect("made");
    let orphan = std::fs::File::create(directory.join("orphan")).expect("made");
    assert_eq!(storage.sweep().await.expect("swept"), 0, "a young one may be about to get its row");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
    orphan.set_modified(old).expect("set");
    assert_eq!(storage.sweep().await.expect("swept"), 1);
    assert!(!directory.join("orphan").exists());
}

#[tokio::test]
async fn missing_and_cut_bodies_are_found() {
    let place = on_sqlite();
    let storage = place.open().await;
    let (id, _) = super::account(&storage, "alice", 0).await;
    let noise = |seed: u32| -> Vec<u8> {
        (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761 ^ seed) >> 9) as u8).collect()
    };
    for seed in [0, 2] {
        let email = super::email(&storage, id, &noise(seed)).await;
        storage.append(vec![email]).await.expect("appended");
    }
    assert_eq!(storage.find_damage().await.expect("looked"), Vec::<String>::new());
    let places = storage.store().old_files(0).expect("listed");
    assert_eq!(places.len(), 2);
    std::fs::remove_file(storage.store().path(&places[0])).expect("removed");
    std::fs::write(storage.store().path(&places[1]), b"short").expect("cut");
    let found = storage.find_damage().await.expect("looked");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|damage| damage.contains("5 bytes instead of 200000")), "{found:?}");
}
