//! How mail programs find their settings: a file per way of asking. Only hosted domains are
//! answered, and every address of such a domain alike, so that nobody learns which exist.

pub(crate) mod apple;
pub(crate) mod autoconfig;
pub(crate) mod autodiscover;
pub(crate) mod mta_sts;

use hub::{Address, Hub};

/// A hosted domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    /// As people write it.
    pub(crate) name: String,
    /// As DNS does.
    pub(crate) ascii: String,
}

/// Names below a domain under which programs look for its settings, or people for this server.
const FIRST_LABELS: [&str; 4] = ["autoconfig", "autodiscover", "mail", "www"];

/// The hosted domain that a host name stands for.
pub(crate) async fn of_host(hub: &Hub, host: &str) -> hub::Result<Option<Domain>> {
    if let Some(domain) = hosted(hub, host).await? {
        return Ok(Some(domain));
    }
    match host.split_once('.') {
        Some((first, rest)) if FIRST_LABELS.contains(&first) => hosted(hub, rest).await,
        _ => Ok(None),
    }
}

/// The address and its domain, if that is hosted. The address itself need not exist.
pub(crate) async fn of_address(hub: &Hub, text: &str) -> hub::Result<Option<(Address, Domain)>> {
    let Ok(address) = Address::parse(text) else { return Ok(None) };
    Ok(hosted(hub, address.domain()).await?.map(|domain| (address, domain)))
}

/// A domain is kept as it was added, be that in Unicode or in A-labels (RFC 5890).
async fn hosted(hub: &Hub, name: &str) -> hub::Result<Option<Domain>> {
    let Ok(ascii) = idna::domain_to_ascii(name) else { return Ok(None) };
    let (unicode, _) = idna::domain_to_unicode(&ascii);
    let is_hosted = hub.hosts_domain(&unicode).await? || hub.hosts_domain(&ascii).await?;
    Ok(is_hosted.then_some(Domain { name: unicode, ascii }))
}
