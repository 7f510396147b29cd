//! What the OpenAPI description says of the REST door; a test holds it against the JSON.

use axum::http::StatusCode;
use decalog_gateway::openapi::{
    Description, JSON, Operation, in_query, item, object, paths, schema, schemas as named,
};
use decalog_gateway::problem::{INVALID_PARAMETER, UPGRADE_REQUIRED};
use serde_json::{Map, Value, json};

use super::{LIMIT_MAX, PROBLEMS, TOO_MANY_SUBSCRIBERS, UNKNOWN_INSTRUMENT};

/// The exchange's part of the description.
pub fn description() -> Description {
    let follow = Operation::new("followInstrument", "The live feed")
        .describe(
            "A WebSocket: a snapshot of the book, then every change with the next sequence number. Each text message \
             is a FeedMessage. A subscriber that is too slow is closed with code 1013 and subscribes anew.",
        )
        .parameters(&[symbol()])
        .answers_nothing(StatusCode::SWITCHING_PROTOCOLS, "The WebSocket is open")
        .refuses(&[&UNKNOWN_INSTRUMENT, &UPGRADE_REQUIRED, &TOO_MANY_SUBSCRIBERS]);
    let depth = [symbol(), limit("depth", "Levels of each side", 20)];
    let count = [symbol(), limit("limit", "How many", 100)];
    let paths = paths([
        ("/v1/instruments", get("listInstruments", "All instruments", "Instruments", &[])),
        ("/v1/instruments/{symbol}", get("getInstrument", "One instrument", "Instrument", &[symbol()])),
        ("/v1/instruments/{symbol}/book", get("getBook", "The best levels", "Book", &depth)),
        (
            "/v1/instruments/{symbol}/trades",
            get("listTrades", "The latest trades, newest first", "Trades", &count),
        ),
        ("/v1/instruments/{symbol}/feed", item([("get", follow)])),
    ]);
    Description { paths, schemas: schemas(), problems: PROBLEMS.to_vec() }
}

/// A read: of one instrument, when it names a symbol, and with a limit, when it has one more parameter.
fn get(id: &str, summary: &str, answer: &str, parameters: &[Value]) -> Value {
    let get = Operation::new(id, summary)
        .parameters(parameters)
        .answers(StatusCode::OK, answer, JSON, schema(answer))
        .header(StatusCode::OK, "Decalog-Offset");
    let get = match parameters.len() {
        0 => get,
        1 => get.refuses(&[&UNKNOWN_INSTRUMENT]),
        _ => get.refuses(&[&UNKNOWN_INSTRUMENT, &INVALID_PARAMETER]),
    };
    item([("get", get)])
}

fn symbol() -> Value {
    json!({
        "name": "symbol", "in": "path", "required": true,
        "schema": { "type": "string", "minLength": 1, "maxLength": 16 }, "example": "BTC-USD",
    })
}

fn limit(name: &str, description: &str, default: usize) -> Value {
    in_query(
        name,
        description,
        json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": default }),
    )
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
    named([
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
    ])
}
