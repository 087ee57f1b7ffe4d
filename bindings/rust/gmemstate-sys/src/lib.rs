// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The C interface of gmemstate, as its headers declare it.
//!
//! Names, fields and constants are those of C, so the headers are the documentation: what a call
//! does, which locks it takes, and what it returns. A test of this crate compiles a C program
//! that prints the sizes, offsets and constants of the headers, and compares them with these
//! declarations. It also compares the functions with the headers and with `gmemstate.map`.
//!
//! The crate `gmemstate` has a safe interface. Use this one for the range tree on its own
//! (`gms_rtree_*`), for the backend for KVM (feature `kvm`), or where the safe one lacks a call.
//!
//! A C enumeration is an integer here: a value that a newer library adds is no undefined
//! behaviour.
#![allow(non_camel_case_types)]
#![warn(missing_debug_implementations)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("gmemstate needs a 64-bit machine");

pub mod errno;
#[cfg(feature = "kvm")]
mod kvm;
mod rtree;
mod state;
mod types;

#[cfg(feature = "kvm")]
pub use kvm::*;
pub use rtree::*;
pub use state::*;
pub use types::*;
