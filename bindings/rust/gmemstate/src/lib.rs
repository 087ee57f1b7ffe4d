// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The state of a confidential guest's memory: which pages are shared with the host, which are
//! private, which blocks are mixed, and which pages are pinned. Conversions are transactions.
//!
//! ```
//! use gmemstate::{ErrorKind, Shareability::*, State};
//!
//! # fn main() -> Result<(), gmemstate::Error> {
//! let state = State::builder(1 << 18).private().build()?;
//! state.convert(16..32, Shared)?;
//!
//! let pin = state.pinned(20..21)?; // a device reads the page
//! let err = state.convert(16..32, Private).unwrap_err();
//! assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(20)));
//! drop(pin);
//! state.convert(16..32, Private)?;
//! # Ok(())
//! # }
//! ```
//!
//! Indices and gfns are in pages of 4 KiB, and ranges are half-open. [`State`] owns an object and
//! has its listeners; [`StateRef`] has all other calls. A VMM brings a [`Backend`], [`Listener`]s,
//! or a policy ([`Decide`]). Hooks and listeners get a [`StateRef`] and may call back: a call that
//! would wait for its own thread returns [`ErrorKind::Deadlock`].
//!
//! A fault belongs to a thread, and so do its guard and that of a shared lock:
//!
//! ```compile_fail
//! let state = gmemstate::State::builder(512).build().unwrap();
//! let fault = state.fault(0, gmemstate::Accessor::Host).unwrap();
//! std::thread::scope(|scope| {
//!     scope.spawn(move || drop(fault));
//! });
//! ```
//!
//! The guard of a fault borrows the object:
//!
//! ```compile_fail
//! let state = gmemstate::State::builder(512).build().unwrap();
//! let fault = state.fault(0, gmemstate::Accessor::Host).unwrap();
//! drop(state);
//! drop(fault);
//! ```
//!
//! This crate lacks the range tree on its own and the options of the backend for KVM: see
//! [`gmemstate_sys`] (also [`sys`]), [`Builder::raw_backend`] and [`StateRef::as_raw`].
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs, missing_debug_implementations)]

pub use gmemstate_sys as sys;

/// Compiles the example of the file.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod backend;
mod builder;
mod calls;
mod error;
mod guards;
mod hook;
mod listener;
mod memory;
mod policy;
mod state;
mod types;

pub use backend::{Backend, Prepared};
pub use builder::Builder;
pub use calls::{AttrId, BindingId, Stats};
pub use error::{Errno, Error, ErrorKind};
pub use guards::{Fault, Pinned, Runs, SharedLock};
pub use listener::{Batch, Listener, ListenerId, ListenerOptions};
pub use memory::Allocator;
pub use policy::{Decide, Event, Events, Policy, Verdict, View};
pub use state::{State, StateRef};
pub use types::{pages_of_bytes, version, Accessor, Order, Run, Shareability, Summary};
