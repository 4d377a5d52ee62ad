//! The description of the façade (OpenAPI 3.1), made from the method table.

use serde_json::{Map, Value, json};

use crate::methods::{TYPES, Type, Verb};

pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for known in TYPES.iter().filter(|known| known.has_objects()) {
        let name = known.name;
        paths.insert(format!("/api/v1/{name}"), list(known));
        paths.insert(format!("/api/v1/{name}/{{id}}"), object(known));
        if known.has(Verb::Changes) {
            paths.insert(format!("/api/v1/{name}/changes"), changes(known));
        }
    }
    paths.insert("/api/v1/events".into(), events());
    paths.insert("/api/v1/tickets".into(), tickets());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Twin Hub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The objects of JMAP (RFC 8620, RFC 8621) over plain HTTP. ETag is the state of a type.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "basic": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic" },
                "bearer": { "type": "http", "scheme": "bearer", "description": "OAuth 2.1: see /.well-known/oauth-authorization-server" },
            },
            "schemas": {
                "Object": { "type": "object", "properties": { "id": { "type": "string" } }, "additionalProperties": true },
                "List": {
                    "type": "object",
                    "required": ["list", "state"],
                    "properties": {
                        "list": { "type": "array", "items": { "$ref": "#/components/schemas/Object" } },
                        "position": { "type": "integer" },
                        "total": { "type": ["integer", "null"] },
                        "state": { "type": "string" },
                    },
                },
                "Changes": {
                    "type": "object",
                    "required": ["oldState", "newState", "hasMoreChanges", "created", "updated", "destroyed"],
                    "properties": {
                        "oldState": { "type": "string" },
                        "newState": { "type": "string" },
                        "hasMoreChanges": { "type": "boolean" },
                        "created": { "type": "array", "items": { "type": "string" } },
                        "updated": { "type": "array", "items": { "type": "string" } },
                        "destroyed": { "type": "array", "items": { "type": "string" } },
                    },
                },
                "Ticket": {
                    "type": "object",
                    "required": ["ticket", "expiresIn"],
                    "properties": { "ticket": { "type": "string" }, "expiresIn": { "type": "integer" } },
                },
                "Problem": {
                    "type": "object",
                    "required": ["type", "status", "detail"],
                    "properties": {
                        "type": { "type": "string" },
                        "status": { "type": "integer" },
                        "detail": { "type": "string" },
                        "properties": { "type": "array", "items": { "type": "string" } },
                    },
                },
            },
        },
    })
}

fn parameter(place: &str, name: &str, kind: &str, description: &str) -> Value {
    json!({
        "in": place, "name": name, "required": place == "path", "description": description,
        "schema": { "type": kind },
    })
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

/// Answers by status; whatever goes wrong is a problem.
fn responses(good: &[(&str, &str, Option<&str>)]) -> Value {
    let mut all = Map::new();
    for (status, description, schema) in good {
        let mut response = json!({ "description": description });
        if let Some(schema) = schema {
            response["content"] = content(schema);
        }
        all.insert((*status).to_owned(), response);
    }
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    all.insert("401".to_owned(), json!({ "description": "Who asks?", "content": text }));
    let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
    all.insert(
        "default".to_owned(),
        json!({ "description": "Why not (RFC 9457)", "content": { "application/problem+json": problem } }),
    );
    all.into()
}

fn operation(known: &Type, name: &str, parameters: &[Value], responses: &Value) -> Value {
    json!({
        "operationId": format!("{name}{}", known.name),
        "tags": [known.name],
        "parameters": parameters,
        "responses": responses,
    })
}

fn list(known: &Type) -> Value {
    let properties = parameter("query", "properties", "string", "Names, separated by commas");
    let mut parameters = vec![properties];
    if known.has(Verb::Query) {
        parameters.extend([
            parameter("query", "limit", "integer", "Objects at most"),
            parameter("query", "position", "integer", "The first of them; from the end if negative"),
            parameter("query", "sort", "string", "Names, separated by commas; with - descending"),
        ]);
    }
    let mut item = Map::new();
    item.insert(
        "get".into(),
        operation(known, "list", &parameters, &responses(&[("200", "The objects", Some("List"))])),
    );
    if known.has(Verb::Set) {
        let mut answers = responses(&[("201", "What the server has set of it", Some("Object"))]);
        answers["201"]["links"] = links(known);
        let mut create = operation(known, "create", &[if_match()], &answers);
        create["requestBody"] = json!({ "required": true, "content": content("Object") });
        item.insert("post".into(), create);
    }
    item.into()
}

fn object(known: &Type) -> Value {
    let id = || parameter("path", "id", "string", "The id of the object");
    let properties = parameter("query", "properties", "string", "Names, separated by commas");
    let mut item = Map::new();
    let answers = responses(&[("200", "The object", Some("Object"))]);
    item.insert("get".into(), operation(known, "get", &[id(), properties], &answers));
    if known.has(Verb::Set) {
        let answers = responses(&[("204", "Done", None)]);
        let mut update = operation(known, "update", &[id(), if_match()], &answers);
        let schema = json!({ "schema": { "$ref": "#/components/schemas/Object" } });
        update["requestBody"] = json!({
            "required": true,
            "content": { "application/merge-patch+json": schema, "application/json": schema },
        });
        item.insert("patch".into(), update);
        item.insert("delete".into(), operation(known, "destroy", &[id(), if_match()], &answers));
    }
    item.into()
}

fn changes(known: &Type) -> Value {
    let mut since = parameter("query", "since", "string", "The state that is known");
    since["required"] = true.into();
    let parameters = [since, parameter("query", "maxChanges", "integer", "Ids at most")];
    let answers = responses(&[("200", "What is other than before", Some("Changes"))]);
    json!({ "get": operation(known, "changes", &parameters, &answers) })
}

/// Pages follow these with `fetch`, or with EventSource and a ticket.
fn events() -> Value {
    let parameters = [
        parameter("query", "types", "string", "Names of types, separated by commas; all without it"),
        parameter("query", "ticket", "string", "In place of the Authorization field"),
        parameter("query", "lastEventId", "string", "As Last-Event-ID, which goes before"),
        parameter("header", "Last-Event-ID", "string", "The id of the last event that was seen"),
    ];
    let mut answers = responses(&[("200", "ready, change, reset and ping, one after the other", None)]);
    answers["200"]["content"] = json!({ "text/event-stream": { "schema": { "type": "string" } } });
    json!({ "get": {
        "operationId": "events",
        "tags": ["Events"],
        "description": "Data of change: type, oldState, newState, created and updated (objects), destroyed (ids).",
        "parameters": parameters,
        "responses": answers,
    } })
}

fn tickets() -> Value {
    let answers = responses(&[("201", "Good for a minute, for events only", Some("Ticket"))]);
    json!({ "post": {
        "operationId": "createTicket", "tags": ["Events"], "parameters": [], "responses": answers,
    } })
}

fn if_match() -> Value {
    let mut field = parameter("header", "If-Match", "string", "Only if this is still the state, in quotes");
    field["schema"]["pattern"] = json!("^(\\*|\"[!#-~]*\")$");
    field
}

/// What can be done with an object that was made.
fn links(known: &Type) -> Value {
    let link = |verb: &str| json!({ "operationId": format!("{verb}{}", known.name), "parameters": { "id": "$response.body#/id" } });
    json!({ "get": link("get"), "update": link("update"), "destroy": link("destroy") })
}
