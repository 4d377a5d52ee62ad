//! As many mailboxes as an account can have.

use hub_imap::Settings;

use crate::pipe::Client;
use crate::world::World;

/// A client that creates without end hears where the end is; what it has made can be listed.
#[tokio::test]
async fn mailboxes_have_a_limit_and_can_be_listed() {
    let world = World::new(Settings::default()).await;
    let twin = world.twin("collector").await;
    let mut client = Client::connect(&world, true);
    client.line().await.expect("a greeting");
    client.command(&format!("LOGIN {twin} secret")).await.expect("logs in");
    // 32 levels, the most, in one command.
    let below = "/x".repeat(31);
    let mut made = 6; // INBOX and the usual ones
    let refused = loop {
        match client.command(&format!("CREATE n{made}{below}")).await {
            Ok(_) => made += 32,
            Err(refused) => break refused,
        }
        assert!(made <= 10_000, "without end");
    };
    assert!(refused.contains(" NO [LIMIT] "), "{refused}");
    assert!(made > 9_900, "{made}");
    let lines = client.command("LIST \"\" \"*\"").await.expect("listed");
    assert_eq!(lines.len(), made + 1);
    let lines = client.command("LIST \"\" \"%/%\" RETURN (STATUS (MESSAGES))").await.expect("listed");
    assert_eq!(lines.len(), 2 * (made - 6) / 32 + 1);
    let lines = client.command("LIST \"\" \"*x/*x%*/x\"").await.expect("listed");
    assert!(lines.len() > 5_000, "{}", lines.len());
    client.command(&format!("DELETE n6{below}")).await.expect("deleted");
    client.command("CREATE one").await.expect("there is room again");
}
