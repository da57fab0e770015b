//! The CustomResourceDefinition of SwapClass, as it is installed.

use kube::core::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::words::ITEM;
use super::{SwapClass, SwapClassSpec};

/// What kube's derive makes of the types, completed: the spec may be left out, null counts as absent, and every
/// description ends with the default.
///
/// Fields that the schema does not know are pruned. kubectl and server-side apply refuse them before that; other
/// clients get a warning. To keep them instead would mean to store classes that say less than they seem to.
///
/// # Errors
/// None is known: the types can be written as JSON.
pub fn definition() -> Result<Value, serde_json::Error> {
    let mut definition = serde_json::to_value(SwapClass::crd())?;
    if let Some(metadata) = object_at(&mut definition, "/metadata") {
        metadata.insert("labels".to_owned(), json!({"app.kubernetes.io/name": "spark-swap"}));
    }
    if let Some(root) = object_at(&mut definition, "/spec/versions/0/schema/openAPIV3Schema") {
        root.remove("required");
        complete(root);
    }
    if let Some(spec) = object_at(&mut definition, "/spec/versions/0/schema/openAPIV3Schema/properties/spec")
    {
        spec.insert("default".to_owned(), serde_json::to_value(SwapClassSpec::default())?);
    }
    Ok(definition)
}

/// Completes a schema and the schemas in it.
fn complete(schema: &mut Map<String, Value>) {
    // The API server then drops a null, or puts the default in its place.
    schema.remove("nullable");
    for bound in ["minimum", "maximum"] {
        // Typed schemas hold them as float64; the API server answers with integers.
        if let Some(bound) = schema.get_mut(bound)
            && let Ok(integer) = format!("{bound}").trim_end_matches(".0").parse::<i64>()
        {
            *bound = json!(integer);
        }
    }
    let default = schema.get("default").filter(|default| !default.is_object()).map(|default| {
        let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
        format!("\nDefault: {default}.")
    });
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = unwrapped(description) + &default.unwrap_or_default();
    }
    for schemas in ["items", "additionalProperties"] {
        if let Some(Value::Object(schema)) = schema.get_mut(schemas) {
            complete(schema);
        }
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().filter_map(Value::as_object_mut).for_each(complete);
    }
}

/// A doc comment without its line breaks, except before the items of a list.
fn unwrapped(text: &str) -> String {
    let items: Vec<String> = text.split(ITEM).map(|item| item.replace('\n', " ")).collect();
    items.join(ITEM)
}

fn object_at<'a>(value: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(pointer)?.as_object_mut()
}
