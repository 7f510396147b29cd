//! What only makes sense between values: names that must exist, names that must differ, steps that must divide.

use std::collections::BTreeSet;

use super::ranking::Ranking;
use super::schema::{Blobs, Config, Http, Instrument, Provider, Resilience, Seal, Tls, Unit};

/// A refusal: the key's path (places in lists count from 1) and the reason.
type Refused = (Vec<String>, String);

/// Refuses the first thing that contradicts another.
pub(super) fn check(config: &Config) -> Result<(), Refused> {
    let listeners = [
        (["telemetry", "listen"], config.telemetry.listen),
        (["http", "listen"], config.http.listen),
        (["exchange.fix", "listen"], config.exchange.fix.listen),
    ];
    for (place, (key, address)) in listeners.iter().enumerate() {
        let twin = listeners[place + 1..].iter().find(|(_, other)| other == address && address.port() != 0);
        if let Some((other, _)) = twin {
            let reason = format!("is also the address of {}; each listener needs its own", other.join("."));
            return Err((path(*key), reason));
        }
    }
    check_http(&config.http)?;
    check_resilience(&config.resilience)?;
    let fix_tls = &config.exchange.fix.tls;
    check_tls(&["exchange", "fix", "tls"], fix_tls, fix_tls.is_on())?;
    check_seal(&config.server.seal)?;
    let issuer = &config.identity.issuer;
    if !issuer.is_empty() && !crate::identity::is_issuer(issuer) {
        let reason =
            "must be an http or https address without a slash, query or fragment at its end".to_owned();
        return Err((path(["identity", "issuer"]), reason));
    }
    check_providers(&config.identity.providers)?;
    check_blobs(&config.blobs).map_err(|(key, reason)| (path(["blobs", key]), reason.to_owned()))?;
    check_ranking(&config.feed.ranking)?;
    let mut symbols = BTreeSet::new();
    let mut comp_ids = BTreeSet::from([config.exchange.fix.comp_id.as_str()]);
    for (place, unit) in config.exchange.units.iter().enumerate() {
        let at = |rest: &[&str]| {
            let head = ["exchange".to_owned(), "units".to_owned(), (place + 1).to_string()];
            head.into_iter().chain(rest.iter().map(|part| (*part).to_owned())).collect::<Vec<_>>()
        };
        if usize::try_from(unit.number.get()) != Ok(place) {
            let reason =
                format!("must be {place}: units are listed in the order of their numbers, from 0 on");
            return Err((at(&["number"]), reason));
        }
        check_unit(unit, &mut symbols, &mut comp_ids).map_err(|(rest, reason)| {
            let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
            (at(&rest), reason)
        })?;
    }
    Ok(())
}

fn check_ranking(ranking: &Ranking) -> Result<(), Refused> {
    let (name, arms) = (&ranking.experiment, &ranking.arms);
    let reason = if name.len() > 64 || name.chars().any(|char| char.is_control() || char == '/') {
        "must be at most 64 bytes, without a slash"
    } else if name.is_empty() != arms.is_empty() || arms.len() == 1 {
        "needs both: a name (feed.ranking.experiment) and two arms or more (feed.ranking.arms)"
    } else {
        return Ok(());
    };
    Err((path(["feed", "ranking", "experiment"]), reason.to_owned()))
}

fn check_http(http: &Http) -> Result<(), Refused> {
    if http.proxies.is_empty() != (http.client_address == super::schema::ClientAddress::Connection) {
        let reason =
            "needs both: which proxies are believed (http.proxies), and how they tell (http.client_address)";
        return Err((path(["http", "client_address"]), reason.to_owned()));
    }
    check_acme(http)?;
    check_tls(&["http", "tls"], &http.tls, http.is_secure())
}

fn check_acme(http: &Http) -> Result<(), Refused> {
    let acme = &http.acme;
    if !acme.is_on() {
        return Ok(());
    }
    let is_name = |name: &String| {
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        letters && !name.starts_with('.') && !name.ends_with('.') && name.parse::<std::net::IpAddr>().is_err()
    };
    let wrong = [
        (
            !acme.directory.starts_with("https://"),
            "directory",
            "must be the https address of an ACME directory",
        ),
        (acme.names.is_empty(), "names", "must list the DNS names that the certificate is for"),
        (!acme.names.iter().all(is_name), "names", "must be DNS names, without wildcards"),
        (
            !acme.contacts.iter().all(|to| to.starts_with("mailto:")),
            "contacts",
            "must be addresses like mailto:you@example.org",
        ),
        (
            !acme.agree_to_terms,
            "agree_to_terms",
            "must be true: the authority asks for agreement with its terms of service",
        ),
        (
            http.tls.is_on(),
            "directory",
            "stands beside http.tls.certificate; the certificate comes from one place",
        ),
    ];
    match wrong.into_iter().find(|(is_wrong, ..)| *is_wrong) {
        Some((_, key, reason)) => Err((path(["http", "acme", key]), reason.to_owned())),
        None => Ok(()),
    }
}

fn check_tls(section: &[&str], tls: &Tls, is_secure: bool) -> Result<(), Refused> {
    let given = |path: &std::path::Path| !path.as_os_str().is_empty();
    let at = |key: &str| section.iter().copied().chain([key]).map(str::to_owned).collect();
    if given(&tls.certificate) != given(&tls.key) {
        let missing = if tls.is_on() { "key" } else { "certificate" };
        return Err((at(missing), "is missing: certificate and key go together".to_owned()));
    }
    if given(&tls.client_authorities) && !is_secure {
        return Err((at("certificate"), "is missing: clients show certificates over TLS only".to_owned()));
    }
    Ok(())
}

fn check_resilience(resilience: &Resilience) -> Result<(), Refused> {
    let at_most = |key: &str, value: u32, other: &str, bound: u32| {
        let reason = format!("must be at most resilience.{other}, which is {bound}");
        if value > bound { Err((path(["resilience", key]), reason)) } else { Ok(()) }
    };
    let whole = resilience.timeout_milliseconds.get();
    let attempt = resilience.attempt_timeout_milliseconds.get();
    at_most("attempt_timeout_milliseconds", attempt, "timeout_milliseconds", whole)?;
    let connect = resilience.connect_timeout_milliseconds.get();
    at_most("connect_timeout_milliseconds", connect, "attempt_timeout_milliseconds", attempt)?;
    let (backoff, most) = (resilience.backoff_milliseconds.get(), resilience.backoff_max_milliseconds.get());
    at_most("backoff_milliseconds", backoff, "backoff_max_milliseconds", most)
}

fn check_seal(seal: &Seal) -> Result<(), Refused> {
    let given = [
        ("key_file", !seal.key_file.as_os_str().is_empty()),
        ("key_environment", !seal.key_environment.is_empty()),
        ("key_command", !seal.key_command.is_empty()),
    ];
    let mut given = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key);
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => {
            let reason = format!("stands beside {first}; the master key comes from one place");
            Err((path(["server", "seal", second]), reason))
        }
        _ => Ok(()),
    }
}

fn check_providers(providers: &[Provider]) -> Result<(), Refused> {
    for (place, provider) in providers.iter().enumerate() {
        let at = |(key, reason): (&str, &str)| {
            (path(["identity", "providers", &(place + 1).to_string(), key]), reason.to_owned())
        };
        let before = &providers[..place];
        if before.iter().any(|other| other.name == provider.name) {
            return Err(at(("name", "is listed twice")));
        }
        if before.iter().any(|other| other.issuer == provider.issuer) {
            return Err(at(("issuer", "is listed twice: who somebody is there is told by it")));
        }
        check_provider(provider).map_err(at)?;
    }
    Ok(())
}

fn check_provider(provider: &Provider) -> Result<(), (&'static str, &'static str)> {
    if !crate::identity::is_provider_issuer(&provider.issuer) {
        let reason =
            "must be an https address without a query or fragment; http only of this machine (localhost)";
        return Err(("issuer", reason));
    }
    let shown = provider.label.chars().count();
    if !(1..=60).contains(&shown) || provider.label.chars().any(char::is_control) {
        return Err(("label", "must be 1 to 60 characters"));
    }
    if provider.client_id.is_empty() || !provider.client_id.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err(("client_id", "must be what the provider calls this server"));
    }
    let given = [
        ("client_secret", !provider.client_secret.reveal().is_empty()),
        ("client_secret_file", !provider.client_secret_file.as_os_str().is_empty()),
        ("client_secret_environment", !provider.client_secret_environment.is_empty()),
    ];
    if let Some((key, _)) = given.into_iter().filter(|(_, given)| *given).nth(1) {
        return Err((key, "stands beside another one; the secret comes from one place"));
    }
    let asks = |scope: &str| provider.scopes.iter().any(|one| one.as_str() == scope);
    if !asks("openid") {
        return Err(("scopes", "must have openid among them: without it there is no ID token"));
    }
    if !provider.email_domains.is_empty() && !asks("email") {
        return Err(("email_domains", "needs the scope email among scopes"));
    }
    Ok(())
}

/// The key and why it does not go with the others.
fn check_blobs(blobs: &Blobs) -> Result<(), (&'static str, &'static str)> {
    let given = [
        ("secret", !blobs.secret.reveal().is_empty()),
        ("secret_file", !blobs.secret_file.as_os_str().is_empty()),
        ("secret_environment", !blobs.secret_environment.is_empty()),
    ];
    let secrets = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect::<Vec<_>>();
    if let [_, second, ..] = secrets[..] {
        return Err((second, "stands beside another one; the secret comes from one place"));
    }
    if blobs.bucket.is_empty() {
        let without = "says something of a bucket, and there is none: set bucket";
        let of_a_bucket =
            [("endpoint", !blobs.endpoint.is_empty()), ("access_key", !blobs.access_key.is_empty())];
        let of_a_bucket = of_a_bucket.into_iter().chain(given).find(|(_, given)| *given);
        return of_a_bucket.map_or(Ok(()), |(key, _)| Err((key, without)));
    }
    if blobs.access_key.is_empty() {
        return Err(("access_key", "is needed for a bucket"));
    }
    if secrets.is_empty() {
        return Err(("secret", "is needed for a bucket: set secret, secret_file or secret_environment"));
    }
    let address = blobs.endpoint.strip_prefix("https://").or_else(|| blobs.endpoint.strip_prefix("http://"));
    if !blobs.endpoint.is_empty() && address.is_none_or(str::is_empty) {
        return Err(("endpoint", "must be an http or https address"));
    }
    Ok(())
}

fn check_unit<'c>(
    unit: &'c Unit,
    symbols: &mut BTreeSet<&'c str>,
    comp_ids: &mut BTreeSet<&'c str>,
) -> Result<(), Refused> {
    for (place, instrument) in unit.instruments.iter().enumerate() {
        let at = |key: &str| path(["instruments", &(place + 1).to_string(), key]);
        if !symbols.insert(instrument.symbol.as_str()) {
            return Err((at("symbol"), "is listed twice; a symbol belongs to one unit, once".to_owned()));
        }
        check_instrument(instrument).map_err(|(key, reason)| (at(key), reason))?;
    }
    let mut accounts = BTreeSet::new();
    for (place, account) in unit.accounts.iter().enumerate() {
        if !accounts.insert(account.name.as_str()) {
            let at = path(["accounts", &(place + 1).to_string(), "name"]);
            return Err((at, "is listed twice".to_owned()));
        }
    }
    for (place, session) in unit.sessions.iter().enumerate() {
        let at = |key: &str| path(["sessions", &(place + 1).to_string(), key]);
        if !comp_ids.insert(session.comp_id.as_str()) {
            return Err((
                at("comp_id"),
                "is already the CompID of another session or of the exchange".to_owned(),
            ));
        }
        if !accounts.contains(session.account.as_str()) {
            let known: Vec<_> = accounts.iter().copied().collect();
            return Err((
                at("account"),
                format!("must be an account of the same unit: {}", known.join(", ")),
            ));
        }
    }
    Ok(())
}

fn check_instrument(instrument: &Instrument) -> Result<(), (&'static str, String)> {
    let scale = instrument.tick_size.scale();
    let tick = instrument.tick_size.at_scale(scale).unwrap_or_default();
    if tick <= 0 || scale > 9 {
        return Err((
            "tick_size",
            "must be greater than 0, with at most 9 digits after the point".to_owned(),
        ));
    }
    let lot_scale = instrument.lot_size.scale();
    if instrument.lot_size.at_scale(lot_scale).unwrap_or_default() <= 0 || lot_scale > 9 {
        return Err(("lot_size", "must be greater than 0, with at most 9 digits after the point".to_owned()));
    }
    let on_tick = |price: Option<i64>| price.filter(|price| price % tick == 0);
    let multiple = || format!("must be a multiple of tick_size ({}) and fit 18 digits", instrument.tick_size);
    let lowest =
        on_tick(instrument.lowest_price.at_scale(scale)).ok_or_else(|| ("lowest_price", multiple()))?;
    let highest =
        on_tick(instrument.highest_price.at_scale(scale)).ok_or_else(|| ("highest_price", multiple()))?;
    let lot = instrument.lot_size.at_scale(lot_scale).unwrap_or(1);
    if !instrument
        .largest_quantity
        .map_or(Some(lot), |most| most.at_scale(lot_scale))
        .is_some_and(|most| most >= lot && most % lot == 0)
    {
        let reason = format!("must be a multiple of lot_size ({}) and fit 18 digits", instrument.lot_size);
        return Err(("largest_quantity", reason));
    }
    if lowest <= 0 {
        return Err(("lowest_price", "must be greater than 0".to_owned()));
    }
    if highest < lowest {
        return Err((
            "highest_price",
            format!("must be at least lowest_price ({})", instrument.lowest_price),
        ));
    }
    Ok(())
}

fn path<const N: usize>(parts: [&str; N]) -> Vec<String> {
    parts.into_iter().map(str::to_owned).collect()
}
