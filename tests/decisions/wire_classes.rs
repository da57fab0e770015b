//! A class as an object of the API, and back.

use proptest::prelude::*;
use spark_swap::cluster::api::{SwapClass as WireClass, SwapClassSpec};
use spark_swap::sizing::class::SwapClass;
use spark_swap::sizing::class_spec::DEFAULT_CLASS_ANNOTATION;

use crate::random;

proptest! {
    #[test]
    fn nothing_of_a_class_is_lost_in_an_object(class in random::class()) {
        let mut object = WireClass::new(&class.name, SwapClassSpec::from(&class));
        object.metadata.annotations =
            Some([(DEFAULT_CLASS_ANNOTATION.to_owned(), class.is_default.to_string())].into());
        let json = serde_json::to_value(&object).unwrap();
        prop_assert_eq!(SwapClass::from_object(&json), Ok(class.clone()));
        let read: WireClass = serde_json::from_value(json).unwrap();
        // A size may be written in another way, for a number of bytes that is read counts in thousands: 5000 as 5k.
        prop_assert_eq!(SwapClass::from_object(&serde_json::to_value(read).unwrap()), Ok(class));
    }
}
