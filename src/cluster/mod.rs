//! Where the state comes from: files, or a cluster that is listed once or watched; and the certificates that live there.

pub mod allocatable;
pub mod api;
pub mod arrival;
pub mod certificates;
pub mod class_status;
pub mod connection;
pub mod contact;
pub mod documents;
pub mod events;
pub mod kubelet_config;
pub mod live_state;
pub mod node_group;
pub mod objects;
pub mod one_object;
pub mod snapshot;
pub mod state_files;
pub mod watches;
pub mod webhook_entry;
