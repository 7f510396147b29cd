//! `decalog exchange watch SYMBOL`: the live book in the terminal, from the public WebSocket feed.

mod picture;

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use self::picture::{FeedMessage, Picture};

/// How often the screen is drawn at most.
const FRAME: Duration = Duration::from_millis(100);
/// How long to wait for the first answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// The instrument, for example BTC-USD
    symbol: String,
    /// Where the server's HTTP listener is
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Levels of each side
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    depth: u16,
    /// Print the book once and exit
    #[arg(long)]
    once: bool,
}

pub(super) fn run(request: &Request) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(request)).map(|()| ExitCode::SUCCESS)
}

async fn watch(request: &Request) -> anyhow::Result<()> {
    let Some(rest) = request.url.strip_prefix("http://") else {
        bail!("--url {}: must begin with http://", request.url);
    };
    let address = rest.trim_end_matches('/');
    let feed = format!("ws://{address}/v1/instruments/{}/feed", encode(&request.symbol));
    let connected = timeout(PATIENCE, tokio_tungstenite::connect_async(&feed)).await;
    let (mut socket, _) = match connected.with_context(|| format!("{feed}: no answer"))? {
        Ok(connected) => connected,
        Err(Error::Http(answer)) if answer.status() == 404 => {
            bail!("no instrument {}; {}/v1/instruments lists them", request.symbol, request.url)
        }
        Err(error) => return Err(error).with_context(|| format!("{feed}: is the server running?")),
    };
    let mut picture = None;
    let mut screen = Screen::open(request.once);
    let mut frame = interval(FRAME);
    frame.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut changed = false;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = frame.tick(), if changed && !request.once => {
                changed = false;
                if let Some(picture) = &picture {
                    screen.draw(picture, usize::from(request.depth))?;
                }
            }
            message = socket.next() => {
                let text = match message.context("the feed ended")?.context("the feed broke")? {
                    Message::Text(text) => text,
                    Message::Close(why) => bail!("the server closed the feed: {}", why.map_or_else(String::new, |why| why.reason.to_string())),
                    _ => continue,
                };
                let message: FeedMessage = serde_json::from_str(&text).context("a message of the feed")?;
                changed = true;
                let picture = Picture::take(&mut picture, message)?;
                if request.once {
                    return screen.draw(picture, usize::from(request.depth));
                }
            }
        }
    }
}

/// A symbol as a segment of a path: everything but letters, digits and `-._~` is escaped.
fn encode(symbol: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    symbol
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The terminal, given back as it was when this is dropped.
struct Screen {
    full: bool,
}

impl Screen {
    /// Takes the whole terminal, unless one picture is asked for or nobody looks.
    fn open(once: bool) -> Self {
        let full = !once && stdout().is_terminal();
        if full {
            // Alternate screen, no cursor.
            print!("\x1b[?1049h\x1b[?25l");
        }
        Self { full }
    }

    fn draw(&mut self, picture: &Picture, depth: usize) -> anyhow::Result<()> {
        let mut out = stdout().lock();
        let text = picture.text(depth, self.full);
        if self.full {
            // Home, each line cleared to its end, then everything below.
            write!(out, "\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"))?;
        } else {
            writeln!(out, "{text}")?;
        }
        out.flush().context("standard output")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.full {
            print!("\x1b[?25h\x1b[?1049l");
            // The terminal may be gone; then there is nothing to give back.
            let _ = stdout().flush();
        }
    }
}
