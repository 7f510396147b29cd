//! One order at the authority, from the account to the certificate; and the certificates that are made here.

use std::sync::Arc;
use std::time::Duration;

use decalog_gateway::tls::{Challenge, Tls};
use decalog_outbound::Client;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};

use crate::courier::Courier;
use crate::folder::Folder;
use crate::{AcmeError, Settings};

/// How long the authority may take to look at the challenges, and to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

/// A certificate of our own for these names, with its key: something to begin with.
pub(crate) fn placeholder(names: &[String]) -> Result<String, AcmeError> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.self_signed(&key)?;
    Ok(key.serialize_pem() + &certificate.pem())
}

/// Asks the authority for a certificate; answers it, the chain behind it and its key as PEM.
pub(crate) async fn obtain(
    settings: &Settings,
    folder: &Folder,
    client: &Client,
    tls: &Arc<Tls>,
) -> Result<String, AcmeError> {
    let account = account(settings, folder, client).await?;
    let names: Vec<_> = settings.names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    // Shown for as long as the authority may look.
    let mut shown: Vec<Challenge> = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let name = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            _ => return Err(AcmeError::NotValid { names: name }),
        }
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(AcmeError::NoChallenge { name });
        };
        let digest = challenge.key_authorization().digest();
        shown.push(answer(tls, &name, digest.as_ref())?);
        challenge.set_ready().await?;
    }
    if order.poll_ready(&PATIENCE).await? != OrderStatus::Ready {
        return Err(AcmeError::NotValid { names: settings.names.join(", ") });
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    drop(shown);
    Ok(key + &chain)
}

/// The account that is kept, or a new one, which then is.
async fn account(settings: &Settings, folder: &Folder, client: &Client) -> Result<Account, AcmeError> {
    let builder = || Account::builder_with_http(Box::new(Courier(client.clone())));
    if let Some(credentials) = folder.account(&settings.directory)? {
        return Ok(builder().from_credentials(credentials).await?);
    }
    let contact: Vec<_> = settings.contacts.iter().map(String::as_str).collect();
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder().create(&wanted, settings.directory.clone(), None).await?;
    folder.put_account(&settings.directory, &credentials)?;
    Ok(account)
}

/// Shows the certificate of RFC 8737, section 3: for this name only, with the digest of the key authorization in it.
fn answer(tls: &Arc<Tls>, name: &str, digest: &[u8]) -> Result<Challenge, AcmeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    Ok(tls.challenge(name, certificate.der().to_vec(), key.serialize_der())?)
}
