//! Bringing the state that decisions read: files now, watches of a cluster beside them.

pub mod documents;
pub mod objects;
pub mod state_files;
