//! Our quantities against Kubernetes' own.

use serde_json::{Value, json};
use spark_swap::sizing::quantity::{Quantity, QuantityError};

use crate::oracle::{Random, assert_no_difference};

#[test]
fn quantities_are_read_and_written_as_kubernetes_does() {
    assert_no_difference(50_000, question, |question, answer| {
        let text = question["value"].as_str().unwrap();
        match (text.parse::<Quantity>(), answer["ok"].as_bool().ok_or("no verdict")?) {
            (Ok(ours), true) => {
                // Go's Value() of some negative quantities is wrong, and no resource is negative.
                if !text.starts_with('-') && ours.value() != answer["value"] {
                    return Err(format!("value {}", ours.value()));
                }
                if ours.to_string() != answer["canonical"] {
                    return Err(format!("canonical {ours}"));
                }
                Ok(())
            }
            (Err(_), false) => Ok(()),
            // Two that are refused on purpose, see the library's documentation.
            (Err(QuantityError::Syntax), true) if has_no_digits(text) => Ok(()),
            (Err(QuantityError::TooLarge), true) if answer["tooLarge"] == true => Ok(()),
            (Ok(ours), false) => Err(format!("we read {ours}")),
            (Err(error), true) => Err(format!("we say: {error}")),
        }
    });
}

fn has_no_digits(text: &str) -> bool {
    let number = text.trim_start_matches(['+', '-']).trim_start_matches('.');
    !number.starts_with(|character: char| character.is_ascii_digit())
}

/// Mostly quantities, some almost, some not at all.
fn question(random: &mut Random) -> Value {
    let sign = random.pick(&["", "", "", "", "+", "-", "--"]);
    let digits = |random: &mut Random| {
        let digits = random.below(20);
        (0..digits).map(|_| random.pick(&["0", "0", "1", "2", "5", "9"])).collect::<String>()
    };
    let whole = digits(random);
    let fraction = match random.below(4) {
        0 => format!(".{}", digits(random)),
        1 => ".".to_owned(),
        _ => String::new(),
    };
    let suffix = random.pick(&[
        "", "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Mi", "Gi", "Ti", "Pi", "Ei", "e0",
        "e3", "E6", "e-3", "e-9", "e-12", "e+2", "e18", "K", "mi", "i", "e", "E-", " ", "Mi ", "_",
    ]);
    json!({"op": "quantity", "value": format!("{sign}{whole}{fraction}{suffix}")})
}
