//! Limits that need more than one connection.

use hub_imap::Settings;

use crate::pipe::Client;
use crate::world::World;

#[tokio::test]
async fn an_account_has_so_many_connections() {
    let world = World::new(Settings { connections_per_account: 2, ..Settings::default() }).await;
    let (twin, other) = (world.twin("one").await, world.twin("other").await);
    let connect = async |twin: &str| {
        let mut client = Client::connect(&world, true);
        client.line().await.expect("a greeting");
        client.command(&format!("LOGIN {twin} secret")).await.map(|_| client)
    };
    let mut first = connect(&twin).await.expect("the first");
    let _second = connect(&twin).await.expect("the second");
    let refused = connect(&twin).await.err().expect("one too many");
    // Not AUTHENTICATIONFAILED, at which clients ask their user for a new password.
    assert!(refused.contains(" NO [LIMIT] "), "{refused}");
    connect(&other).await.expect("nobody else is concerned");
    first.send_later("a LOGOUT");
    while first.line().await.expect("a line") != "[closed]" {}
    connect(&twin).await.expect("a place became free");
}
