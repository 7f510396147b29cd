//! A small network that lives: programs that sign up, follow each other, post, like, share and answer, through the same
//! door as every app. They say nothing but what can be computed.

mod facts;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Between two things that happen.
const TURN: Duration = Duration::from_secs(4);
/// After the server could not be asked.
const RETRY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);
/// Where the tokens lie, so that the next start goes on with the same people.
const TOKENS: &str = "demo-people.json";

/// Who they are: name, shown name, what they say of themselves.
const PEOPLE: [(&str, &str, &str); 5] = [
    ("factors", "Factors", "Takes numbers apart."),
    ("collatz", "Collatz", "Halves, or triples and adds one. Always back at 1 so far."),
    ("numerals", "Numerals", "Numbers, written otherwise."),
    ("calendar", "Calendar", "Where we are in the year."),
    ("counter", "Counter", "Counts what others write."),
];

/// Lets them live, until it is aborted.
pub(super) async fn live(http: SocketAddr, data: PathBuf) {
    loop {
        if let Err(error) = session(http, &data).await {
            tracing::debug!(%error, "the demo's people are away");
        }
        sleep(RETRY).await;
    }
}

async fn session(http: SocketAddr, data: &Path) -> anyhow::Result<()> {
    let door = Door { base: format!("http://{http}"), client: Client::builder().timeout(PATIENCE).build()? };
    let people = door.people(&data.join(TOKENS)).await?;
    let mut random = Rng::new();
    for person in &people {
        person.post(&mut random).await?;
    }
    let mut turn = interval(TURN);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let person = &people[random.usize(..people.len())];
        match random.u8(..10) {
            0..6 => person.post(&mut random).await?,
            6 => person.ask(&mut random).await?,
            _ => person.respond(&mut random).await?,
        }
    }
}

/// The client API.
#[derive(Clone)]
struct Door {
    base: String,
    client: Client,
}

impl Door {
    async fn ask(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let mut request = self.client.request(method.parse()?, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{method} {path}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Those who signed up before, and who is new; everybody follows everybody.
    async fn people(&self, tokens: &Path) -> anyhow::Result<Vec<Person>> {
        let mut known: BTreeMap<String, String> = match std::fs::read(tokens) {
            Ok(text) => serde_json::from_slice(&text).context(TOKENS)?,
            Err(_) => BTreeMap::new(),
        };
        for (name, shown, note) in PEOPLE {
            if !known.contains_key(name) {
                let token = match self.sign_up(name).await {
                    Ok(token) => token,
                    // Somebody has the name; the others live on.
                    Err(error) if error.to_string().contains(": 422 ") => continue,
                    Err(error) => return Err(error),
                };
                let profile =
                    json!({ "display_name": shown, "note": note, "bot": true, "discoverable": true });
                self.ask(Some(&token), "PATCH", "/api/v1/accounts/update_credentials", &profile).await?;
                known.insert(name.to_owned(), token);
                keep(tokens, &serde_json::to_string(&known)?)?;
            }
        }
        let (mut people, mut ids) = (Vec::new(), Vec::new());
        for (name, _, _) in PEOPLE {
            let Some(token) = known.get(name).cloned() else { continue };
            let person = Person { name, token, door: self.clone() };
            ids.push(id(&person.get("/api/v1/accounts/verify_credentials").await?)?.to_owned());
            people.push(person);
        }
        for (place, person) in people.iter().enumerate() {
            for other in ids.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, id)| id) {
                person.post_to(&format!("/api/v1/accounts/{other}/follow"), &Value::Null).await?;
            }
        }
        Ok(people)
    }

    async fn sign_up(&self, name: &str) -> anyhow::Result<String> {
        let app = json!({ "client_name": "Demo", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": "read write" });
        let app = self.ask(None, "POST", "/api/v1/apps", &app).await?;
        let grant = json!({
            "grant_type": "client_credentials", "scope": "read write",
            "client_id": app["client_id"], "client_secret": app["client_secret"],
        });
        let granted = self.ask(None, "POST", "/oauth/token", &grant).await?;
        // Nobody has to sign in as one of them.
        let password: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
        let person = json!({
            "username": name, "email": format!("{name}@example.org"), "password": password,
            "agreement": true, "locale": "en",
        });
        let signed = self.ask(granted["access_token"].as_str(), "POST", "/api/v1/accounts", &person).await?;
        Ok(signed["access_token"].as_str().context("no token")?.to_owned())
    }
}

/// One of them.
struct Person {
    name: &'static str,
    token: String,
    door: Door,
}

impl Person {
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.door.ask(Some(&self.token), "GET", path, &Value::Null).await
    }

    async fn post_to(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.door.ask(Some(&self.token), "POST", path, body).await
    }

    async fn say(&self, status: &Value) -> anyhow::Result<()> {
        self.post_to("/api/v1/statuses", status).await.map(|_| ())
    }

    /// Posts what this one is there for.
    async fn post(&self, random: &mut Rng) -> anyhow::Result<()> {
        let text = match self.name {
            "factors" => facts::factored(random.u64(100..10_000)),
            "collatz" => facts::collatz(random.u64(10..10_000)),
            "numerals" => facts::written(random.u64(1..4_000)),
            "calendar" => {
                let today = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
                facts::day(today.saturating_add(jiff::Span::new().days(random.i64(0..365))))
            }
            _ => return self.respond(random).await,
        };
        self.say(&json!({ "status": text, "language": "en" })).await
    }

    /// Asks whether a number is prime.
    async fn ask(&self, random: &mut Rng) -> anyhow::Result<()> {
        let number = random.u64(50..500) * 2 + 1;
        let poll = json!({ "options": ["Yes", "No"], "expires_in": 600 });
        self.say(&json!({ "status": format!("Is {number} prime? #primes"), "language": "en", "poll": poll }))
            .await
    }

    /// Looks at home, and likes, shares or answers something; a question is answered rightly.
    async fn respond(&self, random: &mut Rng) -> anyhow::Result<()> {
        let home = self.get("/api/v1/timelines/home?limit=20").await?;
        let own = |status: &&Value| status["account"]["username"].as_str() == Some(self.name);
        let others: Vec<&Value> = home
            .as_array()
            .into_iter()
            .flatten()
            .filter(|status| !own(status) && status["reblog"].is_null())
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        let status = others[random.usize(..others.len())];
        let (id, text) = (id(status)?, plain(status["content"].as_str().unwrap_or_default()));
        if let Some(poll) = status["poll"]["id"].as_str().filter(|_| status["poll"]["voted"] == false) {
            let number = text.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(1);
            let choice = usize::from(!facts::is_prime(number));
            self.post_to(&format!("/api/v1/polls/{poll}/votes"), &json!({ "choices": [choice] })).await?;
            return Ok(());
        }
        match random.u8(..4) {
            0 => self.post_to(&format!("/api/v1/statuses/{id}/reblog"), &Value::Null).await.map(|_| ()),
            1 if self.name == "counter" => {
                self.say(&json!({ "status": facts::counted(&text), "in_reply_to_id": id, "language": "en" }))
                    .await
            }
            _ => self.post_to(&format!("/api/v1/statuses/{id}/favourite"), &Value::Null).await.map(|_| ()),
        }
    }
}

/// Writes the tokens where only this user reads them.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn id(entity: &Value) -> anyhow::Result<&str> {
    entity["id"].as_str().context("no id")
}

/// A post's text without its markup.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut tag = false;
    for letter in html.chars() {
        match letter {
            '<' => tag = true,
            '>' => tag = false,
            letter if !tag => text.push(letter),
            _ => {}
        }
    }
    text
}
