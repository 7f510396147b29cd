//! The product as the front's measurements configure it: all that is counted is counted, nothing is refused.

use std::net::SocketAddr;

use tempfile::TempDir;

use crate::server::{Decalog, Server, free_address};

/// The account that measurements sign in with: the name and the password of the example configuration.
pub(crate) const NAME: &str = "alice";
/// Its password.
pub(crate) const PASSWORD: &str = "alice-example";
/// Its password, hashed with the product's own parameters.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=5,p=1$8PDF0RtGX+oG4FpDi15XTA$89xbpI2TUplUI8qbSVKNWPERD9WEeyHMGV/Ajq7MXew";
/// The instrument that is listed.
pub(crate) const SYMBOL: &str = "DCLG";
/// The CompID of the session that trades it.
pub(crate) const COMP_ID: &str = "BENCH";

/// What differs between the measurements.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    /// The contents of the `[http.tls]` section.
    pub(crate) tls: String,
    /// WebSockets that may be open.
    pub(crate) sockets: usize,
}

/// A started server.
pub(crate) struct Front {
    /// The process; its address is that of HTTP.
    pub(crate) server: Server,
    /// Where it listens for FIX.
    pub(crate) fix: SocketAddr,
}

/// Starts it.
pub(crate) fn start(decalog: &Decalog, directory: TempDir, setting: &Setting) -> anyhow::Result<Front> {
    let (http, fix) = (free_address()?, free_address()?);
    let configuration = configuration(setting, http, fix, free_address()?);
    Ok(Front { server: decalog.start(directory, &configuration, http)?, fix })
}

fn configuration(setting: &Setting, http: SocketAddr, fix: SocketAddr, operators: SocketAddr) -> String {
    let Setting { tls, sockets } = setting;
    // Connections of wrk, and a few more.
    let connections = sockets + 1_024;
    let subscribers = (*sockets).max(1);
    format!(
        r#"
[telemetry]
filter = "warn"
listen = "{operators}"
[http]
listen = "{http}"
max_connections = {connections}
max_connections_per_address = {connections}
[http.tls]
{tls}
[http.limits]
address_per_minute = 100000000
account_per_minute = 100000000
sign_in_per_minute = 100000000
[identity]
accounts = [{{ name = "{NAME}", password_hash = "{HASH}", roles = ["user"] }}]
[exchange]
durability = "os"
[exchange.feed]
public = true
max_subscribers = {subscribers}
[exchange.fix]
listen = "{fix}"
comp_id = "DECALOG"
[[exchange.units]]
number = 0
day_end = "23:59:59"
instruments = [
    {{ symbol = "{SYMBOL}", tick_size = "1", lot_size = "1", lowest_price = "1", highest_price = "10000" }},
]
accounts = [{{ name = "{COMP_ID}" }}]
sessions = [{{ comp_id = "{COMP_ID}", account = "{COMP_ID}", reset_on_logon = true }}]
"#
    )
}
