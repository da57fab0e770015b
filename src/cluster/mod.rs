//! Where the state comes from.
