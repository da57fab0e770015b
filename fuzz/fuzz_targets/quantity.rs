//! Any text is a quantity or an error, and a quantity is shown as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spark_swap::sizing::quantity::Quantity;

fuzz_target!(|text: &str| {
    if let Ok(quantity) = text.parse::<Quantity>() {
        let shown = quantity.to_string();
        let again: Quantity = shown.parse().expect("what is shown can be read");
        assert!(quantity.cmp_amount(again).is_eq(), "{text} is shown as {shown}");
        assert_eq!(again.to_string(), shown);
        assert_eq!(quantity.bytes().is_some(), quantity.value() >= 0);
    }
});
