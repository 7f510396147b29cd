//! A FIX 4.4 acceptor whose application sends orders back:
//! `echo [ADDRESS [OUR_COMP_ID [THEIR_COMP_ID]]]`, by default `127.0.0.1:15045 ISLD TW44`.

mod echo;

use std::sync::Arc;

use decalog_fix::acceptor::{Acceptor, Limits};
use decalog_fix::codec::Rules;
use decalog_fix::guard::Identity;
use decalog_fix::session::Settings;
use decalog_fix::store::MemoryStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let address = argument("127.0.0.1:15045");
    let identity = Identity { ours: argument("ISLD"), theirs: argument("TW44") };

    let mut acceptor = Acceptor::new(Arc::new(echo::Echo::default()), Limits::default(), Rules::default());
    let settings = Settings { reset_on_logon: true, ..Settings::acceptor() };
    acceptor.add(identity, settings, None, MemoryStore::default())?;

    let listener = TcpListener::bind(&address).await?;
    println!("listening on {}", listener.local_addr()?);
    acceptor.serve(listener).await
}
