//! One OpenAPI 3.1 description of all systems' routes: each system says what its paths take and give, and the table of routes
//! says what they need. A declared route without a description, or the other way round, is a [`Mismatch`].
//!
//! Every operation gets its security requirement and the refusals that the gateway itself may answer with, so that no system
//! writes those down.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::problem::{self, ProblemType};
use crate::route::{Declared, Routes};

/// What a system says of itself.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Path templates to path items (OpenAPI 3.1, 4.8.8 and 4.8.9).
    pub paths: Map<String, Value>,
    /// Names to JSON Schemas (draft 2020-12), for `#/components/schemas/NAME`.
    pub schemas: Map<String, Value>,
    /// The problems that its own handlers answer with.
    pub problems: Vec<&'static ProblemType>,
}

/// The table of routes and the description do not agree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A route is declared and not described.
    #[error("{0} is declared and not described")]
    NotDescribed(String),
    /// An operation is described and not declared.
    #[error("{0} is described and not declared")]
    NotDeclared(String),
    /// Two systems give the same name to a schema.
    #[error("two systems have a schema {0}")]
    SchemaTwice(String),
}

/// The description of a server.
#[derive(Clone, Debug)]
pub struct Document {
    title: &'static str,
    version: &'static str,
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
    problems: Vec<&'static ProblemType>,
    scopes: Vec<&'static str>,
}

impl Document {
    /// A server with no routes yet.
    pub fn new(title: &'static str, version: &'static str) -> Self {
        let problems = problem::ALL.to_vec();
        Self { title, version, paths: Map::new(), schemas: Map::new(), problems, scopes: Vec::new() }
    }

    /// Adds a system's routes with what it says of them.
    pub fn add(&mut self, table: &[Declared], mut description: Description) -> Result<(), Mismatch> {
        for declared in table {
            self.add_route(declared, &mut description)?;
        }
        if let Some((path, item)) = description.paths.iter().find(|(_, item)| operations(item) > 0) {
            let methods: Vec<_> = item.as_object().into_iter().flat_map(Map::keys).cloned().collect();
            return Err(Mismatch::NotDeclared(format!("{} {path}", methods.join(", "))));
        }
        for (name, schema) in description.schemas {
            if self.schemas.insert(name.clone(), schema).is_some() {
                return Err(Mismatch::SchemaTwice(name));
            }
        }
        self.problems.extend(description.problems);
        Ok(())
    }

    fn add_route(&mut self, declared: &Declared, description: &mut Description) -> Result<(), Mismatch> {
        let method = declared.method.as_str().to_ascii_lowercase();
        let operation = description.paths.get_mut(declared.path).and_then(|item| take(item, &method));
        let missing = || Mismatch::NotDescribed(format!("{} {}", declared.method, declared.path));
        let mut operation = operation.ok_or_else(missing)?;
        operation["security"] = match declared.access {
            // The empty requirement: a credential may be shown and need not be.
            Access::Public => json!([]),
            Access::Signed => json!([{ "bearer": [] }, { "apiKey": [] }]),
            Access::Scope(scope) => {
                self.scopes.push(scope.0);
                operation["description"] = described(&operation, scope.0);
                json!([{ "bearer": [scope.0] }, { "apiKey": [scope.0] }])
            }
        };
        for refusal in refusals(declared) {
            let responses = operation["responses"].as_object_mut().ok_or_else(missing)?;
            responses.entry(refusal.as_str()).or_insert_with(reference_to_problem);
        }
        let item = self.paths.entry(declared.path).or_insert_with(|| json!({}));
        item[method] = operation;
        Ok(())
    }

    /// The whole as JSON.
    pub fn to_value(&self) -> Value {
        let mut names: Vec<String> = self.problems.iter().map(|kind| kind.urn()).collect();
        names.sort_unstable();
        names.dedup();
        let mut schemas = self.schemas.clone();
        schemas.insert("Problem".to_owned(), problem_schema(&names));
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": self.title,
                "version": self.version,
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "responses": { "Problem": {
                    "description": "A refusal (RFC 9457)",
                    "content": { "application/problem+json": { "schema": schema("Problem") } },
                } },
                "headers": { "Decalog-Offset": {
                    "description": "How far each partition's history had come: opaque.",
                    "schema": { "type": "string" },
                } },
                "securitySchemes": {
                    "bearer": {
                        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                        "description": "An access token; /.well-known/openid-configuration says how to get one.",
                    },
                    "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                },
            },
        })
    }

    /// The route that answers with it. The description of this route itself is added here.
    pub fn route() -> Routes<Arc<Value>> {
        Routes::new().route(
            Method::GET,
            "/openapi.json",
            Access::Public,
            async |State(document): State<Arc<Value>>| Json(Value::clone(&document)),
        )
    }

    /// What is said of [`Document::route`].
    pub fn of_itself() -> Description {
        let get =
            operation("getDescription", "This description", json([("200", "An OpenAPI 3.1 document", None)]));
        Description { paths: paths([("/openapi.json", json!({ "get": get }))]), ..Description::default() }
    }
}

/// The refusals that the gateway itself may answer a request to this route with.
fn refusals(declared: &Declared) -> Vec<StatusCode> {
    let mut all = vec![
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::INTERNAL_SERVER_ERROR,
    ];
    if declared.access != Access::Public {
        all.extend([StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED]);
    }
    if matches!(declared.access, Access::Scope(_)) {
        all.push(StatusCode::FORBIDDEN);
    }
    if matches!(declared.method, Method::POST | Method::PUT | Method::PATCH) {
        all.extend([
            StatusCode::BAD_REQUEST,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ]);
    }
    all
}

fn described(operation: &Value, scope: &str) -> Value {
    let needs = format!("Needs the scope `{scope}`.");
    match operation["description"].as_str() {
        Some(text) => format!("{text} {needs}").into(),
        None => needs.into(),
    }
}

fn take(item: &mut Value, method: &str) -> Option<Value> {
    item.as_object_mut()?.remove(method)
}

fn operations(item: &Value) -> usize {
    item.as_object().map_or(0, Map::len)
}

fn reference_to_problem() -> Value {
    json!({ "$ref": "#/components/responses/Problem" })
}

fn problem_schema(names: &[String]) -> Value {
    object(&[
        ("type", json!({ "type": "string", "enum": names })),
        ("title", json!({ "type": "string" })),
        ("status", json!({ "type": "integer", "minimum": 400, "maximum": 599 })),
        ("detail", json!({ "type": "string" })),
    ])
}

/// A reference to a schema of the document.
pub fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object whose fields are all required, and no others allowed.
pub fn object(fields: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "required": names, "properties": properties, "additionalProperties": false })
}

/// An operation; its security and the gateway's refusals are added when its route is.
pub fn operation(id: &str, summary: &str, responses: Value) -> Value {
    json!({ "operationId": id, "summary": summary, "responses": responses })
}

/// JSON answers: status, description, and the schema of the body (any object, when there is none).
pub fn json<'a>(answers: impl IntoIterator<Item = (&'a str, &'a str, Option<&'a str>)>) -> Value {
    let answers = answers.into_iter().map(|(status, description, name)| {
        let body = name.map_or_else(|| json!({ "type": "object" }), schema);
        let answer =
            json!({ "description": description, "content": { "application/json": { "schema": body } } });
        (status.to_owned(), answer)
    });
    Value::Object(answers.collect())
}

/// Adds the refusals of these statuses to the answers of an operation.
pub fn refused(mut responses: Value, problems: &[&'static ProblemType]) -> Value {
    for kind in problems {
        responses[kind.status.as_str()] = reference_to_problem();
    }
    responses
}

/// Path items by their templates.
pub fn paths<'a>(items: impl IntoIterator<Item = (&'a str, Value)>) -> Map<String, Value> {
    items.into_iter().map(|(path, item)| (path.to_owned(), item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;

    fn table() -> Vec<Declared> {
        let access = Access::Scope(Scope("ledger:write"));
        Routes::<()>::new()
            .route(Method::GET, "/v1/rates", Access::Public, async || ())
            .route(Method::POST, "/v1/rates", access, async || ())
            .table()
            .to_vec()
    }

    fn described(methods: &[&str]) -> Description {
        let mut item = json!({});
        for method in methods {
            item[*method] = operation(method, "Rates", json([("200", "Rates", Some("Rates"))]));
        }
        let schemas =
            [("Rates".to_owned(), object(&[("rate", json!({ "type": "string" }))]))].into_iter().collect();
        Description { paths: paths([("/v1/rates", item)]), schemas, ..Description::default() }
    }

    #[test]
    fn a_route_gets_its_security_and_the_gateways_refusals() {
        let mut document = Document::new("Ledger", "1");
        document.add(&table(), described(&["get", "post"])).unwrap();
        let value = document.to_value();
        let (get, post) = (&value["paths"]["/v1/rates"]["get"], &value["paths"]["/v1/rates"]["post"]);
        assert_eq!(
            (&get["security"], &post["security"][0]),
            (&json!([]), &json!({ "bearer": ["ledger:write"] }))
        );
        assert!(get["responses"]["401"].is_null() && post["responses"]["401"].is_object());
        assert_eq!(post["description"], "Needs the scope `ledger:write`.");
        assert!(post["responses"]["413"].is_object());
    }

    #[test]
    fn table_and_description_must_agree() {
        let add = |methods: &[&str]| Document::new("Ledger", "1").add(&table(), described(methods));
        assert_eq!(add(&["get"]), Err(Mismatch::NotDescribed("POST /v1/rates".to_owned())));
        assert_eq!(add(&["get", "post", "put"]), Err(Mismatch::NotDeclared("put /v1/rates".to_owned())));
        let mut document = Document::new("Ledger", "1");
        document.add(&table(), described(&["get", "post"])).unwrap();
        let again = document.add(&[], Description { paths: Map::new(), ..described(&[]) });
        assert_eq!(again, Err(Mismatch::SchemaTwice("Rates".to_owned())));
    }
}
