//! The directory as a black box, and the doors to it. A line for each theme.

mod app_state;
mod apps;
mod authenticator;
mod controls;
mod desk;
mod doors;
mod erasure;
mod golden;
mod guarantees;
mod histories;
mod id_tokens;
mod life;
mod passkeys;
mod provider_doors;
mod provider_state;
mod tokens;
mod trail;
mod webauthn;
