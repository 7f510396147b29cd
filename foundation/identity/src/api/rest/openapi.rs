//! What the OpenAPI description says of the accounts' own routes.

use axum::http::StatusCode;
use decalog_gateway::openapi::{
    Description, JSON, Operation, in_path, in_query, item, object, paths, schema, schemas,
};
use decalog_gateway::problem::INVALID_PARAMETER;
use serde_json::{Map, Value, json};

use super::{CONFLICT, PROBLEMS, REFUSED, TOO_MANY_FAILURES, UNKNOWN, WRONG_PASSKEY, WRONG_PASSWORD};

/// The accounts' part of the description.
pub fn description() -> Description {
    let mut all = own();
    all.append(&mut passkeys());
    all.append(&mut providers());
    all.append(&mut administration());
    let mut named = answers();
    named.append(&mut requests());
    named.append(&mut credentials());
    Description { paths: all, schemas: named, problems: PROBLEMS.to_vec() }
}

fn ok(operation: Operation, description: &str, body: Value) -> Operation {
    operation.answers(StatusCode::OK, description, JSON, body)
}

fn made(operation: Operation, body: Value) -> Operation {
    operation.answers(StatusCode::CREATED, "Made", JSON, body).refuses(&[&UNKNOWN, &CONFLICT, &REFUSED])
}

fn done(operation: Operation) -> Operation {
    operation.answers_nothing(StatusCode::NO_CONTENT, "Done").refuses(&[&UNKNOWN, &CONFLICT, &REFUSED])
}

/// What asks for the password again, or for a passkey, may find it wrong.
fn confirmed(operation: Operation, body: Value) -> Operation {
    let refused = [&WRONG_PASSWORD, &WRONG_PASSKEY, &TOO_MANY_FAILURES, &UNKNOWN, &CONFLICT, &REFUSED];
    operation.takes(JSON, body).refuses(&refused)
}

fn own() -> Map<String, Value> {
    let proof = || schema("Proof");
    let codes = || object(&[("recovery_codes", list(text()))]);
    let secret = object(&[("secret", text()), ("uri", text())]);
    let new = object(&[("current", text()), ("new", text())]);
    let me = ok(Operation::new("getMe", "Who I am"), "Me", schema("Me")).refuses(&[&UNKNOWN]);
    let erase = done(Operation::new("eraseMyAccount", "Erase my account with all that is of it"));
    let sessions = ok(Operation::new("listMySessions", "My sessions"), "Sessions", schema("Sessions"));
    let end_others = done(Operation::new("endMyOtherSessions", "End all my sessions but this one"));
    let end = Operation::new("endMySession", "End one of my sessions");
    let end = done(end.parameters(&[in_path("session", "Its id")]));
    let set_password = confirmed(done(Operation::new("setMyPassword", "Change my password")), new);
    let enrol = ok(Operation::new("enrolTotp", "Begin a second factor"), "Its secret", secret);
    let confirm = Operation::new("confirmTotp", "Confirm it with its first code");
    let confirm = ok(confirm, "Recovery codes", codes())
        .takes(JSON, object(&[("code", text())]))
        .refuses(&[&CONFLICT, &REFUSED]);
    let remove = done(Operation::new("removeTotp", "Take the second factor away"));
    let renew = ok(Operation::new("renewRecoveryCodes", "New recovery codes"), "Recovery codes", codes());
    let totp =
        [("post", confirmed(enrol, proof())), ("put", confirm), ("delete", confirmed(remove, proof()))];
    paths([
        ("/v1/me", item([("get", me)])),
        ("/v1/me/account", item([("delete", confirmed(erase, proof()))])),
        ("/v1/me/sessions", item([("get", sessions), ("delete", end_others)])),
        ("/v1/me/sessions/{session}", item([("delete", end)])),
        ("/v1/me/password", item([("put", set_password)])),
        ("/v1/me/totp", item(totp)),
        ("/v1/me/recovery-codes", item([("post", confirmed(renew, proof()))])),
    ])
}

fn passkeys() -> Map<String, Value> {
    let one = || [in_path("passkey", "Its id")];
    let any = || json!({ "type": "object" });
    let list = ok(Operation::new("listMyPasskeys", "My passkeys"), "Passkeys", schema("Passkeys"));
    let challenge = Operation::new("challengeMyPasskey", "Have a passkey prove that I ask");
    let challenge = ok(challenge, "PublicKeyCredentialRequestOptionsJSON", any()).refuses(&[&CONFLICT]);
    let options = Operation::new("beginPasskey", "Begin to add a passkey");
    let options = ok(options, "PublicKeyCredentialCreationOptionsJSON", any());
    let new = object(&[("label", text()), ("credential", schema("Attestation"))]);
    let codes = json!({ "type": ["array", "null"], "items": text() });
    let added = object(&[("id", number_text()), ("recovery_codes", codes)]);
    let add = made(Operation::new("addPasskey", "Add the passkey that the browser made"), added);
    let rename = Operation::new("renamePasskey", "Call a passkey otherwise").parameters(&one());
    let remove = Operation::new("removePasskey", "Take a passkey away").parameters(&one());
    let each = [
        ("patch", done(rename).takes(JSON, object(&[("label", text())]))),
        ("delete", confirmed(done(remove), schema("Proof"))),
    ];
    paths([
        ("/v1/me/passkeys", item([("get", list), ("post", add.takes(JSON, new))])),
        ("/v1/me/passkeys/challenge", item([("post", challenge)])),
        ("/v1/me/passkeys/options", item([("post", confirmed(options, schema("Proof")))])),
        ("/v1/me/passkeys/{passkey}", item(each)),
    ])
}

fn providers() -> Map<String, Value> {
    let list = Operation::new("listMyProviders", "Outside providers, and my links to them");
    let list = ok(list, "Providers and links", schema("Providers"));
    let unlink = Operation::new("unlinkProvider", "End a link to an outside provider");
    let unlink = done(unlink.parameters(&[in_path("link", "Its id")]));
    paths([
        ("/v1/me/providers", item([("get", list)])),
        ("/v1/me/providers/{link}", item([("delete", confirmed(unlink, schema("Proof")))])),
    ])
}

fn administration() -> Map<String, Value> {
    let id = |name| [in_path(name, "Its id")];
    let opened = || object(&[("id", number_text()), ("name", text())]);
    let key = object(&[("id", number_text()), ("key", text())]);
    let client = optional(&["client_id"], json!({ "client_id": text(), "client_secret": text() }));
    let accounts = ok(Operation::new("listAccounts", "All accounts"), "Accounts", schema("Accounts"));
    let open = Operation::new("openAccount", "Open an account").takes(JSON, schema("NewAccount"));
    let change = Operation::new("changeAccount", "Give other roles or a password, shut out or let in");
    let change = change.parameters(&id("account")).takes(JSON, schema("AccountChange"));
    let erase = Operation::new("eraseAccount", "Erase an account with all that is of it");
    let erase = erase.parameters(&id("account"));
    let service = Operation::new("openServiceAccount", "Open an account for a program");
    let service = service.takes(JSON, schema("NewService"));
    let keys = ok(Operation::new("listApiKeys", "All API keys"), "API keys", schema("ApiKeys"));
    let create = Operation::new("createApiKey", "Make an API key; it is shown this once");
    let create = create.takes(JSON, schema("NewApiKey"));
    let revoke = Operation::new("revokeApiKey", "Revoke an API key").parameters(&id("key"));
    let register = Operation::new("registerClient", "Register a client").takes(JSON, schema("NewClient"));
    let remove = Operation::new("removeClient", "Remove a client").parameters(&id("client"));
    paths([
        ("/v1/admin/accounts", item([("get", accounts), ("post", made(open, opened()))])),
        ("/v1/admin/accounts/{account}", item([("patch", done(change)), ("delete", done(erase))])),
        ("/v1/admin/service-accounts", item([("post", made(service, opened()))])),
        ("/v1/admin/api-keys", item([("get", keys), ("post", made(create, key))])),
        ("/v1/admin/api-keys/{key}", item([("delete", done(revoke))])),
        ("/v1/admin/clients", item([("post", made(register, client))])),
        ("/v1/admin/clients/{client}", item([("delete", done(remove))])),
        ("/v1/admin/audit", item([("get", audit())])),
    ])
}

fn audit() -> Operation {
    let whole = |most: u64| json!({ "type": "integer", "minimum": 0, "maximum": most });
    let parameters = [
        in_query("account", "Whom it concerns", whole(u64::MAX >> 1)),
        in_query("event", "What happened, by name", text()),
        in_query("since", "Seconds since 1970", whole(u64::MAX >> 1)),
        in_query("until", "Seconds since 1970: only what was before", whole(u64::MAX >> 1)),
        in_query("after", "The offset of the last event that was seen", whole(u64::MAX >> 1)),
        in_query("limit", "How many, 100 unless set", whole(10_000)),
    ];
    ok(Operation::new("listAuditEvents", "What happened"), "Events", schema("Audit"))
        .parameters(&parameters)
        .refuses(&[&INVALID_PARAMETER])
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// Ids are texts: they are too large for the numbers of JavaScript.
fn number_text() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+$" })
}

/// An object of which only some fields must be there.
fn optional(required: &[&str], fields: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": fields, "additionalProperties": false })
}

fn answers() -> Map<String, Value> {
    let flag = || json!({ "type": "boolean" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let seconds = || json!({ "type": "integer" });
    let perhaps = |kind: &str| json!({ "type": [kind, "null"] });
    let session = [
        ("id", number_text()),
        ("client", perhaps("string")),
        ("agent", text()),
        ("address", text()),
        ("started", seconds()),
        ("expires", seconds()),
        ("current", flag()),
    ];
    let account = [
        ("id", number_text()),
        ("name", text()),
        ("roles", list(text())),
        ("service", flag()),
        ("disabled", flag()),
        ("failures", count()),
        ("locked_until", seconds()),
        ("totp", flag()),
        ("opened", seconds()),
        ("email", perhaps("string")),
    ];
    let key = [
        ("id", number_text()),
        ("account", number_text()),
        ("label", text()),
        ("scopes", list(text())),
        ("created", seconds()),
        ("expires", perhaps("integer")),
    ];
    let me = [
        ("id", number_text()),
        ("name", text()),
        ("email", perhaps("string")),
        ("roles", list(text())),
        ("scopes", list(text())),
        ("client", perhaps("string")),
        ("session", number_text()),
        ("totp", flag()),
        ("passkeys", count()),
        ("recovery_codes", count()),
    ];
    let link = [
        ("id", number_text()),
        ("provider", perhaps("string")),
        ("issuer", text()),
        ("subject", text()),
        ("linked", seconds()),
        ("used", perhaps("integer")),
    ];
    let provider = object(&[("name", text()), ("label", text())]);
    let failed = object(&[("unknown_names", count()), ("accounts", count())]);
    let events = list(json!({ "type": "object" }));
    schemas([
        ("Me", object(&me)),
        ("Session", object(&session)),
        ("Sessions", object(&[("sessions", list(schema("Session")))])),
        ("Account", object(&account)),
        ("Accounts", object(&[("accounts", list(schema("Account")))])),
        ("ApiKey", object(&key)),
        ("ApiKeys", object(&[("api_keys", list(schema("ApiKey")))])),
        ("Providers", object(&[("providers", list(provider)), ("links", list(object(&link)))])),
        ("Audit", object(&[("events", events), ("failed_logons", failed)])),
    ])
}

fn requests() -> Map<String, Value> {
    let flag = || json!({ "type": "boolean" });
    let texts = || list(text());
    let account = json!({ "name": text(), "password": text(), "roles": texts() });
    let change = json!({ "roles": texts(), "disabled": flag(), "password": text() });
    let key = json!({
        "account": number_text(),
        "label": text(),
        "scopes": texts(),
        "lifetime": { "type": ["integer", "null"], "minimum": 1, "maximum": u32::MAX },
    });
    let client = json!({
        "id": text(),
        "name": text(),
        "redirect_uris": texts(),
        "scopes": texts(),
        "grant_types": texts(),
        "confidential": flag(),
        "account": { "type": ["string", "null"] },
        "without_pkce": flag(),
        "out_of_band": flag(),
        "until_revoked": flag(),
    });
    schemas([
        ("NewAccount", optional(&["name", "password"], account)),
        ("NewService", optional(&["name"], json!({ "name": text(), "roles": texts() }))),
        ("AccountChange", optional(&[], change)),
        ("NewApiKey", optional(&["account", "label", "scopes"], key)),
        ("NewClient", optional(&["id", "name", "grant_types"], client)),
    ])
}

/// Public key credentials as `toJSON()` writes them (Web Authentication Level 3, 5.1), as far as they are looked at.
fn credentials() -> Map<String, Value> {
    let encoded = || json!({ "type": "string", "contentEncoding": "base64url" });
    let credential = |required: &[&str], response: Value| {
        json!({
            "type": "object",
            "required": ["rawId", "response"],
            "properties": {
                "rawId": encoded(),
                "response": { "type": "object", "required": required, "properties": response },
            },
        })
    };
    let made = json!({
        "clientDataJSON": encoded(),
        "attestationObject": encoded(),
        "transports": list(text()),
    });
    let got = json!({
        "clientDataJSON": encoded(),
        "authenticatorData": encoded(),
        "signature": encoded(),
        "userHandle": { "type": ["string", "null"], "contentEncoding": "base64url" },
    });
    let seconds = || json!({ "type": "integer" });
    let passkey = [
        ("id", number_text()),
        ("label", text()),
        ("added", seconds()),
        ("used", json!({ "type": ["integer", "null"] })),
        ("transports", list(text())),
        ("backed_up", json!({ "type": "boolean" })),
    ];
    let mut proof = optional(&[], json!({ "password": text(), "passkey": schema("Assertion") }));
    proof["description"] = "The password or a passkey: one of the two.".into();
    schemas([
        ("Attestation", credential(&["clientDataJSON", "attestationObject"], made)),
        ("Assertion", credential(&["clientDataJSON", "authenticatorData", "signature"], got)),
        ("Passkey", object(&passkey)),
        ("Passkeys", object(&[("passkeys", list(schema("Passkey")))])),
        ("Proof", proof),
    ])
}
