//! Where the state comes from: files, and the objects in them.

pub mod allocatable;
pub mod documents;
pub mod node_group;
pub mod objects;
pub mod state_files;
