//! Capabilities that are hidden from one account.

use hub::{Address, Door, Secret};
use hub_imap::Settings;

use crate::pipe::Client;
use crate::world::World;

/// mjl-/mox 3d28c89: neither announced nor served, from the next log-in on.
#[tokio::test]
async fn hidden_capabilities_are_neither_announced_nor_served() {
    let world = World::new(Settings::default()).await;
    let (twin, other) = (world.twin("masked").await, world.twin("other").await);
    let handle = Address::parse(&twin).expect("an address");
    // The log-in is remembered: the mask must reach those who come by that way too.
    world.hub.login(&twin, &Secret::new("secret"), Door::Imap).await.expect("logs in");
    let hide = ["idle", "Notify", "UIDPLUS", "CONDSTORE"].map(str::to_owned);
    world.hub.hidden_capabilities(&handle, Some(&hide)).await.expect("hidden");
    let connect = async |twin: &str| {
        let mut client = Client::connect(&world, true);
        client.line().await.expect("a greeting");
        let lines = client.command(&format!("LOGIN {twin} secret")).await.expect("logs in");
        (client, lines.concat())
    };
    let (mut client, told) = connect(&twin).await;
    for name in [" IDLE", " NOTIFY", " UIDPLUS", " CONDSTORE"] {
        assert!(!told.contains(name), "{name}: {told}");
    }
    assert!(told.contains(" QRESYNC "), "{told}");
    let lines = client.command("CAPABILITY").await.expect("told");
    assert!(!lines[0].contains("IDLE"), "{lines:?}");
    for command in ["IDLE", "NOTIFY NONE"] {
        let refused = client.command(command).await.expect_err(command);
        assert!(refused.contains(" BAD This is not offered"), "{refused}");
    }
    assert_eq!(client.command("ENABLE CONDSTORE QRESYNC").await.expect("enabled")[0], "* ENABLED QRESYNC");
    let (_, told) = connect(&other).await;
    assert!(told.contains(" IDLE "), "nobody else is concerned: {told}");
    assert!(world.hub.hidden_capabilities(&handle, Some(&["IMAP4rev1".to_owned()])).await.is_err());
    assert_eq!(world.hub.hidden_capabilities(&handle, None).await.expect("told").len(), 4);
    world.hub.hidden_capabilities(&handle, Some(&[])).await.expect("shown");
    assert!(connect(&twin).await.1.contains(" IDLE "));
}
