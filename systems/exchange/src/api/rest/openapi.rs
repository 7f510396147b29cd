//! The OpenAPI 3.1 description of the REST door, written by hand; a test holds it against the routes and the JSON.

use serde_json::{Map, Value, json};

use super::LIMIT_MAX;
use super::problem::Kind;

/// The description, as `/openapi.json` answers it.
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Decalog exchange",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Public market data: instruments, books, trades and a live feed. Orders come in by FIX.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths(),
        "components": { "schemas": schemas(), "headers": headers(), "responses": responses() },
    })
}

fn paths() -> Value {
    json!({
        "/v1/instruments": get("listInstruments", "All instruments", &[], ok("Instruments"), &[]),
        "/v1/instruments/{symbol}":
            get("getInstrument", "One instrument", &[symbol()], ok("Instrument"), &[Kind::UnknownInstrument]),
        "/v1/instruments/{symbol}/book": get(
            "getBook",
            "The best levels of the book",
            &[symbol(), limit("depth", "Levels of each side", 20)],
            ok("Book"),
            &[Kind::UnknownInstrument, Kind::InvalidParameter],
        ),
        "/v1/instruments/{symbol}/trades": get(
            "listTrades",
            "The latest trades, newest first",
            &[symbol(), limit("limit", "How many", 100)],
            ok("Trades"),
            &[Kind::UnknownInstrument, Kind::InvalidParameter],
        ),
        "/v1/instruments/{symbol}/feed": get(
            "followInstrument",
            "WebSocket: a snapshot of the book, then every change with the next sequence number. Each text \
             message is a FeedMessage. A subscriber that is too slow is closed with code 1013 and subscribes anew.",
            &[symbol()],
            json!({ "101": { "description": "The WebSocket is open; its messages are FeedMessage objects." } }),
            &[Kind::UnknownInstrument, Kind::UpgradeRequired, Kind::TooManySubscribers],
        ),
        "/openapi.json": get("getDescription", "This description", &[], plain("An OpenAPI 3.1 document"), &[]),
        "/healthz": get("getHealth", "Whether the process answers", &[], plain("It does"), &[]),
        "/readyz": get(
            "getReadiness",
            "Whether every unit takes orders",
            &[],
            plain("All do"),
            &[Kind::Unavailable],
        ),
    })
}

fn get(id: &str, summary: &str, parameters: &[Value], mut responses: Value, refusals: &[Kind]) -> Value {
    for kind in refusals {
        let (_, _, status) = kind.parts();
        responses[status.as_str()] = json!({ "$ref": "#/components/responses/Problem" });
    }
    json!({ "get": {
        "operationId": id, "summary": summary, "parameters": parameters, "responses": responses,
    } })
}

fn symbol() -> Value {
    json!({
        "name": "symbol", "in": "path", "required": true,
        "schema": { "type": "string", "minLength": 1, "maxLength": 16 }, "example": "BTC-USD",
    })
}

fn limit(name: &str, description: &str, default: usize) -> Value {
    json!({
        "name": name, "in": "query", "description": description,
        "schema": { "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": default },
    })
}

fn ok(schema: &str) -> Value {
    json!({ "200": {
        "description": schema,
        "headers": { "Decalog-Offset": { "$ref": "#/components/headers/Decalog-Offset" } },
        "content": { "application/json": { "schema": reference(schema) } },
    } })
}

fn plain(description: &str) -> Value {
    json!({ "200": {
        "description": description,
        "content": { "application/json": { "schema": { "type": "object" } } },
    } })
}

fn headers() -> Value {
    json!({ "Decalog-Offset": {
        "description": "How far each unit's history had come: opaque, `unit:offset` pairs.",
        "schema": { "type": "string" },
    } })
}

fn responses() -> Value {
    json!({ "Problem": {
        "description": "A refusal (RFC 9457)",
        "content": { "application/problem+json": { "schema": reference("Problem") } },
    } })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn schemas() -> Value {
    let names: Vec<String> =
        Kind::ALL.iter().map(|kind| format!("urn:decalog:problem:{}", kind.parts().0)).collect();
    let decimal = json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" });
    let number = json!({ "type": "string", "pattern": "^[0-9]+$" });
    let text = json!({ "type": "string" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let side = json!({ "type": "string", "enum": ["bid", "ask"] });
    let list = |of: &str| json!({ "type": "array", "items": reference(of) });
    let level = [("price", decimal.clone()), ("quantity", decimal.clone()), ("orders", count.clone())];
    let trade = [
        ("id", number.clone()),
        ("price", decimal.clone()),
        ("quantity", decimal.clone()),
        ("aggressor", side.clone()),
        ("time", number),
    ];
    let book = [
        ("symbol", text.clone()),
        ("sequence", count.clone()),
        ("bids", list("Level")),
        ("asks", list("Level")),
    ];
    let message = |of: &str, fields: &[(&str, Value)]| {
        let mut all = vec![("type", json!({ "const": of })), ("sequence", count.clone())];
        all.extend(fields.iter().filter(|(name, _)| *name != "sequence").cloned());
        object(&all)
    };
    let mut level_message = vec![("side", side)];
    level_message.extend(level.iter().cloned());
    json!({
        "Instruments": object(&[("instruments", list("Instrument"))]),
        "Instrument": object(&[
            ("symbol", text.clone()),
            ("tick_size", decimal.clone()),
            ("lot_size", decimal.clone()),
            ("lowest_price", decimal.clone()),
            ("highest_price", decimal.clone()),
            ("largest_quantity", decimal),
        ]),
        "Level": object(&level),
        "Book": object(&book),
        "Trade": object(&trade),
        "Trades": object(&[("symbol", text.clone()), ("trades", list("Trade"))]),
        "FeedMessage": { "oneOf": [
            message("snapshot", &book),
            message("level", &level_message),
            message("trade", &trade),
        ] },
        "Problem": object(&[
            ("type", json!({ "type": "string", "enum": names })),
            ("title", text.clone()),
            ("status", count),
            ("detail", text),
        ]),
    })
}

/// An object whose fields are all required.
fn object(fields: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "required": names, "properties": properties, "additionalProperties": false })
}
