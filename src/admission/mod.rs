//! The admission flow: review, executor, class, plan, patch, response. Pure: no clock, no I/O, no async, no panic.

pub mod advice;
pub mod answer;
pub mod application;
pub mod class_choice;
pub mod decision;
pub mod event_note;
pub mod executor;
pub mod fail_open;
mod object;
pub mod operation;
pub mod patch;
pub mod plan_annotation;
pub mod pod;
pub mod pod_placement;
pub mod reason;
pub mod review;
pub mod spark_labels;
pub mod swap_annotation;
pub mod text;
