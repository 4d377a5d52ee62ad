//! Carrying out a request, call by call (RFC 8620 §3.4–3.7).

use serde_json::{Map, Value, json};

use crate::capability::Capability;
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult, RequestError};
use crate::core::limits::MAX_REFERENCED;
use crate::core::references;
use crate::core::request::{ApiRequest, Invocation};
use crate::methods::{self, Answers};

pub(crate) async fn run(context: &mut Context, request: ApiRequest) -> Result<Value, RequestError> {
    for uri in &request.using {
        let capability = Capability::from_uri(uri);
        context.using.insert(capability.ok_or_else(|| RequestError::UnknownCapability(uri.clone()))?);
    }
    let wants_ids = request.created_ids.is_some();
    context.created = request.created_ids.unwrap_or_default();
    let mut answers: Vec<Invocation> = Vec::with_capacity(request.calls.len());
    let mut room = MAX_REFERENCED;
    for call in request.calls {
        let Invocation { name, arguments, call_id } = call;
        match run_call(context, &name, arguments, &answers, &mut room).await {
            Ok(Answers { own, more }) => {
                answers.push(Invocation { name, arguments: own, call_id: call_id.clone() });
                answers.extend(more.into_iter().map(|(name, arguments)| Invocation {
                    name: name.to_owned(),
                    arguments,
                    call_id: call_id.clone(),
                }));
            }
            Err(error) => {
                let arguments = error.to_json().as_object().cloned().unwrap_or_default();
                answers.push(Invocation { name: "error".to_owned(), arguments, call_id });
            }
        }
    }
    let mut response = json!({
        "methodResponses": answers.iter().map(Invocation::to_json).collect::<Vec<_>>(),
        "sessionState": crate::session::state(&context.account),
    });
    if wants_ids {
        response["createdIds"] = json!(context.created);
    }
    Ok(response)
}

/// One call, with what the calls before it have answered.
pub(crate) async fn run_call(
    context: &mut Context,
    name: &str,
    mut arguments: Map<String, Value>,
    answers: &[Invocation],
    room: &mut usize,
) -> MethodResult<Answers> {
    let run = methods::find(name, context)?;
    references::resolve(&mut arguments, answers, room)?;
    if !name.starts_with("Core/") {
        check_account(context, &mut arguments)?;
    }
    run(context, Arguments::new(arguments)).await
}

/// Nobody reaches another account than the login's own, whatever ids they write.
fn check_account(context: &Context, arguments: &mut Map<String, Value>) -> MethodResult<()> {
    match arguments.remove("accountId") {
        Some(Value::String(id)) if id == context.account_id => Ok(()),
        Some(Value::String(_)) => Err(MethodErrorKind::AccountNotFound.into()),
        _ => Err(MethodError::argument("accountId", "is missing or not a string")),
    }
}
