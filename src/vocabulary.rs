//! Enums whose variants are words for people: names, explanations and lists that cannot drift apart.

use std::fmt::Display;

/// Any enum of words, for code that treats them all alike.
pub(crate) trait Vocabulary: Copy + Display + 'static {
    /// Every word, in the order of the design.
    const WORDS: &'static [Self];

    /// One sentence for a human.
    fn meaning(self) -> &'static str;
}

/// Declares an enum of words with a one-sentence explanation each, so that name, text and list cannot drift apart.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $(#[doc = $text] $(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// Every word, in the order of the design.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it appears in metrics, logs, audit annotations and warnings.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }

            /// One sentence for a human.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl $crate::vocabulary::Vocabulary for $name {
            const WORDS: &'static [Self] = Self::ALL;

            fn meaning(self) -> &'static str {
                self.text()
            }
        }
    };
}

pub(crate) use vocabulary;
