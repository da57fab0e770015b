//! Where the state comes from: files, and the objects in them.

pub mod api;
pub mod documents;
pub mod objects;
pub mod state_files;
