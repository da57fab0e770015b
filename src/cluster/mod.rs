//! Where the state comes from: files, or a cluster that is listed once or watched.

pub mod arrival;
pub mod connection;
pub mod api;
pub mod documents;
pub mod node_group;
pub mod objects;
pub mod snapshot;
pub mod state_files;
