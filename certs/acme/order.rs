//! One certificate, from the order to the PEM text (RFC 8555 §7.4).

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error,
    Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::challenges::{Challenges, Method};
use super::trouble::Trouble;

/// The authority looks from several places, and may be busy.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(180));

/// The chain and its key, as PEM.
pub(super) async fn order(
    account: &Account,
    names: &[String],
    method: Method,
    challenges: &Challenges,
    key: &KeyPair,
    replaced: Option<CertificateIdentifier<'static>>,
) -> Result<String, Trouble> {
    let identifiers: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = place(account, &identifiers, replaced).await?;
    prove(&mut order, method, challenges).await?;
    // An invalid order may come with an error of its own; what was wrong with which name says more.
    let status = order.poll_ready(&PATIENCE).await;
    if !matches!(status, Ok(OrderStatus::Ready)) {
        let refused = refused(&mut order).await?;
        if !refused.is_empty() {
            return Err(Trouble::Names(refused));
        }
        status?;
        return Err(Error::Str("a ready order").into());
    }
    order.finalize_csr(&request(names, key)?).await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(format!("{}\n{}", chain.trim_end(), key.serialize_pem()))
}

/// RFC 9773 §5: an authority that gives advice on renewal wants to know which certificate is renewed.
/// What it says no to with that, it may still do without: the certificate can have been replaced
/// already.
async fn place(
    account: &Account,
    identifiers: &[Identifier],
    replaced: Option<CertificateIdentifier<'static>>,
) -> Result<Order, Error> {
    if let Some(replaced) = replaced {
        match account.new_order(&NewOrder::new(identifiers).replaces(replaced)).await {
            Err(Error::Api(_) | Error::Unsupported(_) | Error::Other(_)) => {}
            answer => return answer,
        }
    }
    account.new_order(&NewOrder::new(identifiers)).await
}

/// Puts up the proof for every name that the authority does not remember, and says that it is there.
async fn prove(order: &mut Order, method: Method, challenges: &Challenges) -> Result<(), Trouble> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let name = name(&authorization);
        let kind = match method {
            Method::Http01 => ChallengeType::Http01,
            Method::TlsAlpn01 => ChallengeType::TlsAlpn01,
        };
        let Some(mut challenge) = authorization.challenge(kind) else {
            let why = format!("it does not offer {method:?}");
            return Err(Trouble::Names(vec![(name, why)]));
        };
        let key_authorization = challenge.key_authorization();
        match method {
            Method::Http01 => challenges.offer_file(&challenge.token, key_authorization.as_str()),
            Method::TlsAlpn01 => {
                challenges.offer_certificate(&name, key_authorization.digest().as_ref())?;
            }
        }
        challenge.set_ready().await?;
    }
    Ok(())
}

/// The names that the authority could not see, and what it says of each.
async fn refused(order: &mut Order) -> Result<Vec<(String, String)>, Trouble> {
    let mut refused = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        authorization.refresh().await?;
        if authorization.status == AuthorizationStatus::Invalid {
            let error = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
            let why = error.and_then(|problem| problem.detail.clone());
            refused.push((name(&authorization), why.unwrap_or_else(|| "no reason given".to_owned())));
        }
    }
    Ok(refused)
}

fn name(authorization: &AuthorizationHandle<'_>) -> String {
    match authorization.identifier().identifier {
        Identifier::Dns(name) => name.clone(),
        other => format!("{other:?}"),
    }
}

/// The certificate signing request (RFC 8555 §7.4).
fn request(names: &[String], key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.der().to_vec())
}
