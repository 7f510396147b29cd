//! What the OpenAPI description says of the REST door; a test holds it against the JSON.

use decalog_gateway::openapi::{Description, object, operation, paths, refused, schema};
use decalog_gateway::problem::{INVALID_PARAMETER, ProblemType, UPGRADE_REQUIRED};
use serde_json::{Map, Value, json};

use super::{LIMIT_MAX, PROBLEMS, TOO_MANY_SUBSCRIBERS, UNKNOWN_INSTRUMENT};

/// The exchange's part of the description.
pub fn description() -> Description {
    let unknown: &[&ProblemType] = &[&UNKNOWN_INSTRUMENT];
    let limited: &[&ProblemType] = &[&UNKNOWN_INSTRUMENT, &INVALID_PARAMETER];
    let followed: &[&ProblemType] = &[&UNKNOWN_INSTRUMENT, &UPGRADE_REQUIRED, &TOO_MANY_SUBSCRIBERS];
    let opened =
        json!({ "101": { "description": "The WebSocket is open; its messages are FeedMessage objects." } });
    let mut follow = get("followInstrument", "The live feed", &[symbol()], opened, followed);
    follow["get"]["description"] = "A WebSocket: a snapshot of the book, then every change with the next sequence number. \
        Each text message is a FeedMessage. A subscriber that is too slow is closed with code 1013 and subscribes anew."
        .into();
    let depth = [symbol(), limit("depth", "Levels of each side", 20)];
    let count = [symbol(), limit("limit", "How many", 100)];
    let paths = paths([
        ("/v1/instruments", get("listInstruments", "All instruments", &[], ok("Instruments"), &[])),
        (
            "/v1/instruments/{symbol}",
            get("getInstrument", "One instrument", &[symbol()], ok("Instrument"), unknown),
        ),
        (
            "/v1/instruments/{symbol}/book",
            get("getBook", "The best levels of the book", &depth, ok("Book"), limited),
        ),
        (
            "/v1/instruments/{symbol}/trades",
            get("listTrades", "The latest trades, newest first", &count, ok("Trades"), limited),
        ),
        ("/v1/instruments/{symbol}/feed", follow),
    ]);
    Description { paths, schemas: schemas(), problems: PROBLEMS.to_vec() }
}

fn get(
    id: &str,
    summary: &str,
    parameters: &[Value],
    responses: Value,
    problems: &[&'static ProblemType],
) -> Value {
    let mut operation = operation(id, summary, refused(responses, problems));
    operation["parameters"] = parameters.into();
    json!({ "get": operation })
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

fn ok(name: &str) -> Value {
    json!({ "200": {
        "description": name,
        "headers": { "Decalog-Offset": { "$ref": "#/components/headers/Decalog-Offset" } },
        "content": { "application/json": { "schema": schema(name) } },
    } })
}

fn schemas() -> Map<String, Value> {
    let decimal = json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" });
    let number = json!({ "type": "string", "pattern": "^[0-9]+$" });
    let text = json!({ "type": "string" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let side = json!({ "type": "string", "enum": ["bid", "ask"] });
    let list = |of: &str| json!({ "type": "array", "items": schema(of) });
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
    let named = [
        ("Instruments", object(&[("instruments", list("Instrument"))])),
        (
            "Instrument",
            object(&[
                ("symbol", text.clone()),
                ("tick_size", decimal.clone()),
                ("lot_size", decimal.clone()),
                ("lowest_price", decimal.clone()),
                ("highest_price", decimal.clone()),
                ("largest_quantity", decimal),
            ]),
        ),
        ("Level", object(&level)),
        ("Book", object(&book)),
        ("Trade", object(&trade)),
        ("Trades", object(&[("symbol", text), ("trades", list("Trade"))])),
        (
            "FeedMessage",
            json!({ "oneOf": [
                message("snapshot", &book),
                message("level", &level_message),
                message("trade", &trade),
            ] }),
        ),
    ];
    named.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
