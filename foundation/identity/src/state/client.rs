//! Clients: the programs that ask for tokens.

use super::{Directory, Moment, Outcome};
use crate::command::{Refusal, RemoveClient, Reply, SetClient};
use crate::event::{ClientRemoved, ClientSet};
use crate::value::{Client, GrantType, is_name, is_scope};

/// Clients in all, apps aside.
const MOST_CLIENTS: usize = 10_000;

impl Directory {
    /// Every client.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.rows().values()
    }

    /// A client.
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    /// Whether one more can be registered: asked first, so that strangers' refusals are not in the log.
    pub fn has_room_for_a_client(&self) -> bool {
        self.clients.rows().len() - self.apps.rows().len() < MOST_CLIENTS
    }

    pub(super) fn client_may(&self, id: &str, grant: GrantType) -> Result<&Client, Refusal> {
        let client = self.client(id).ok_or(Refusal::UnknownClient)?;
        if client.grants.contains(&grant) { Ok(client) } else { Err(Refusal::GrantNotAllowed) }
    }

    pub(super) fn set_client(&mut self, moment: &mut Moment<'_>, it: SetClient) -> Outcome {
        let acts_alone = it.client.grants.contains(&GrantType::ClientCredentials);
        if it.client.name.len() > 100 || (acts_alone && it.client.account.is_none()) {
            return Err(Refusal::Invalid);
        }
        check(&it.client)?;
        let known = self.client(&it.client.id).is_some();
        if (it.new && known) || self.app(&it.client.id).is_some() {
            return Err(Refusal::NameTaken);
        }
        if !known && !self.has_room_for_a_client() {
            return Err(Refusal::TooMany);
        }
        if let Some(account) = it.client.account {
            self.open(account)?;
        }
        moment.tell(it.client.account.unwrap_or(0), ClientSet { client: it.client.id.clone() });
        self.clients.put(it.client.id.clone(), it.client);
        Ok(Reply::Done)
    }

    pub(super) fn remove_client(&mut self, moment: &mut Moment<'_>, it: RemoveClient) -> Outcome {
        self.clients.remove(&it.client).ok_or(Refusal::UnknownClient)?;
        let of_client = |client: &Option<String>| client.as_ref() == Some(&it.client);
        let sessions: Vec<u64> = match self.app(&it.client) {
            // Nobody has signed in through it: there is no need to look at everybody's sessions.
            Some(app) if !app.used => self.sessions_of_app(&it.client),
            _ => {
                self.sessions().filter(|(_, session)| of_client(&session.client)).map(|(id, _)| id).collect()
            }
        };
        self.forget_app(&it.client);
        for session in sessions {
            self.close_session(moment, session, false);
        }
        let codes: Vec<_> = self
            .codes
            .rows()
            .iter()
            .filter(|(_, code)| code.client == it.client)
            .map(|(hash, _)| *hash)
            .collect();
        codes.iter().for_each(|code| self.forget_code(code));
        let devices = self.device_codes.rows().iter();
        let devices: Vec<_> =
            devices.filter(|(_, code)| code.client == it.client).map(|(hash, _)| *hash).collect();
        devices.iter().for_each(|code| self.forget_device_code(code));
        moment.tell(0, ClientRemoved { client: it.client });
        Ok(Reply::Done)
    }
}

/// What holds for every client.
pub(super) fn check(client: &Client) -> Result<(), Refusal> {
    let uris = client.redirect_uris.len() <= 20
        && client
            .redirect_uris
            .iter()
            .all(|uri| uri.len() <= 2_000 && !uri.contains(['#', ' ']) && uri.contains(':'));
    let scopes = client.scopes.len() <= 100 && client.scopes.iter().all(|scope| is_scope(scope));
    let needs_redirect = client.grants.contains(&GrantType::AuthorizationCode);
    let acts_alone = client.grants.contains(&GrantType::ClientCredentials);
    let whole =
        (!needs_redirect || !client.redirect_uris.is_empty()) && (!acts_alone || client.secret.is_some());
    if is_name(&client.id) && uris && scopes && whole { Ok(()) } else { Err(Refusal::Invalid) }
}
