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

use crate::access::{Access, Scope};
use crate::problem::{self, ProblemType};
use crate::route::{Declared, Routes};

/// The media type of JSON.
pub const JSON: &str = "application/json";
/// The media type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// The media type of pages.
pub const HTML: &str = "text/html";

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
            Access::Known => json!([{ "bearer": [] }]),
            Access::Either(one, other) => {
                self.scopes.extend([one.0, other.0]);
                operation["description"] = described(&operation, &format!("{one} or {other}"));
                let with = |scope: Scope| [json!({ "bearer": [scope.0] }), json!({ "apiKey": [scope.0] })];
                json!([with(one), with(other)].concat())
            }
            Access::Scope(scope) | Access::App(scope) => {
                self.scopes.push(scope.0);
                operation["description"] = described(&operation, scope.0);
                json!([{ "bearer": [scope.0] }, { "apiKey": [scope.0] }])
            }
        };
        for refusal in refusals(declared, operation["requestBody"].is_object()) {
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
        let get = Operation::new("getDescription", "This description").answers(
            StatusCode::OK,
            "An OpenAPI 3.1 document",
            JSON,
            json!({ "type": "object" }),
        );
        Description { paths: paths([("/openapi.json", item([("get", get)]))]), ..Description::default() }
    }
}

/// The refusals that the gateway itself may answer a request to this route with.
fn refusals(declared: &Declared, takes_a_body: bool) -> Vec<StatusCode> {
    let mut all = vec![
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::INTERNAL_SERVER_ERROR,
    ];
    if declared.access != Access::Public {
        all.extend([StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED]);
    }
    if declared.access.needs_account() || declared.access.scope().is_some() {
        all.push(StatusCode::FORBIDDEN);
    }
    if takes_a_body {
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

/// An operation (OpenAPI 3.1, 4.8.10) in the making; its security and the gateway's refusals are added when its route is.
#[derive(Clone, Debug)]
pub struct Operation(Value);

impl Operation {
    /// With an id of its own and a summary.
    pub fn new(id: &str, summary: &str) -> Self {
        Self(json!({ "operationId": id, "summary": summary, "responses": {} }))
    }

    /// More about it.
    #[must_use]
    pub fn describe(mut self, text: &str) -> Self {
        self.0["description"] = text.into();
        self
    }

    /// With these parameters.
    #[must_use]
    pub fn parameters(mut self, parameters: &[Value]) -> Self {
        self.0["parameters"] = parameters.into();
        self
    }

    /// Takes a body of this media type, of which there may be several.
    #[must_use]
    pub fn takes(mut self, media_type: &str, body: Value) -> Self {
        let taken = &mut self.0["requestBody"];
        taken["required"] = true.into();
        taken["content"][media_type] = json!({ "schema": body });
        self
    }

    /// Answers with a body of this media type; a status may have several.
    #[must_use]
    pub fn answers(mut self, status: StatusCode, description: &str, media_type: &str, body: Value) -> Self {
        let answer = &mut self.0["responses"][status.as_str()];
        answer["description"] = description.into();
        answer["content"][media_type] = json!({ "schema": body });
        self
    }

    /// Answers without a body.
    #[must_use]
    pub fn answers_nothing(mut self, status: StatusCode, description: &str) -> Self {
        self.0["responses"][status.as_str()] = json!({ "description": description });
        self
    }

    /// The answers of this status carry a header of the document's components.
    #[must_use]
    pub fn header(mut self, status: StatusCode, name: &str) -> Self {
        let reference = json!({ "$ref": format!("#/components/headers/{name}") });
        self.0["responses"][status.as_str()]["headers"][name] = reference;
        self
    }

    /// Refuses with these problems.
    #[must_use]
    pub fn refuses(mut self, problems: &[&'static ProblemType]) -> Self {
        for kind in problems {
            self.0["responses"][kind.status.as_str()] = reference_to_problem();
        }
        self
    }
}

/// A parameter of the path, any text.
pub fn in_path(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string" } })
}

/// An optional parameter of the query.
pub fn in_query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

/// A path item: operations by their methods in lower case.
pub fn item<'a>(operations: impl IntoIterator<Item = (&'a str, Operation)>) -> Value {
    Value::Object(
        operations.into_iter().map(|(method, Operation(value))| (method.to_owned(), value)).collect(),
    )
}

/// Schemas by their names.
pub fn schemas<'a>(named: impl IntoIterator<Item = (&'a str, Value)>) -> Map<String, Value> {
    named.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
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
        let operation = |method| {
            let operation =
                Operation::new(method, "Rates").answers(StatusCode::OK, "Rates", JSON, schema("Rates"));
            if method == "get" { operation } else { operation.takes(JSON, schema("Rates")) }
        };
        let rates = item(methods.iter().map(|method| (*method, operation(method))));
        let schemas = schemas([("Rates", object(&[("rate", json!({ "type": "string" }))]))]);
        Description { paths: paths([("/v1/rates", rates)]), schemas, ..Description::default() }
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
        assert!(get["responses"]["413"].is_null() && post["responses"]["413"].is_object());
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
