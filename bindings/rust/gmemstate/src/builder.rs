// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Creating a state object, or loading it from a snapshot.

use std::fmt;
use std::os::raw::{c_int, c_void};
use std::ptr::{null_mut, NonNull};

use gmemstate_sys as sys;

use crate::backend::Backend;
use crate::hook::{Context, Owner};
use crate::memory::{self, Allocator};
use crate::policy::{self, Decide, Policy};
use crate::{Error, Order, State};

/// Options of a new [`State`].
pub struct Builder {
    opts: sys::gms_state_opts,
    policy: Option<sys::gms_policy_ops>,
    backend: Option<sys::gms_backend_ops>,
    allocator: Option<sys::gms_allocator>,
    /// Tells the context of the backend which object it belongs to.
    set_state: Option<Box<dyn FnOnce(NonNull<sys::gms_state>)>>,
    /// What C will have pointers to; the object takes it over.
    owned: Vec<Owner>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("opts", &self.opts).finish_non_exhaustive()
    }
}

impl Builder {
    /// Begins the options of an object of `nr_pages` pages of 4 KiB, all shared, backed by folios
    /// of 4K. For [`load`](Self::load) a size of 0 means: any size.
    pub fn new(nr_pages: u64) -> Self {
        Self {
            opts: sys::gms_state_opts { nr_pages, ..sys::gms_state_opts::INIT },
            policy: None,
            backend: None,
            allocator: None,
            set_state: None,
            owned: Vec::new(),
        }
    }

    /// All pages are private at first: SNP, TDX and pKVM need that.
    pub fn private(mut self) -> Self {
        self.opts.flags |= sys::GMS_INIT_PRIVATE;
        self
    }

    /// The order of the folios of the backing.
    pub fn folio_order(mut self, order: Order) -> Self {
        self.opts.folio_order = order.get();
        self
    }

    /// A policy of the library; the default is [`Policy::lazy`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = None;
        self.opts.policy = policy.ops();
        self.opts.policy_ctx = null_mut();
        self
    }

    /// A policy of the caller's.
    pub fn own_policy<D: Decide>(mut self, policy: D) -> Self {
        self.policy = Some(policy::own_ops(&policy));
        self.opts.policy_ctx = self.own(policy).as_ptr().cast();
        self
    }

    /// The hooks to call when something changes.
    pub fn backend<B: Backend>(mut self, backend: B) -> Self {
        self.backend = Some(crate::backend::ops(&backend));
        let context = self.own(Context::new(backend));
        self.opts.backend_ctx = context.as_ptr().cast();
        self.set_state = Some(Box::new(move |state| {
            // SAFETY: the new object owns the context
            unsafe { context.as_ref() }.set_state(state)
        }));
        self
    }

    /// Hooks written in C, such as those of `gms_kvm_backend()`.
    ///
    /// # Safety
    /// The hooks keep the contract of backend.h and do not unwind. `ops` is valid until the object
    /// is built, and the hooks may be called with `ctx`, from any thread, until it is dropped.
    pub unsafe fn raw_backend(
        mut self,
        ops: *const sys::gms_backend_ops,
        ctx: *mut c_void,
    ) -> Self {
        self.backend = None;
        self.set_state = None;
        self.opts.backend = ops;
        self.opts.backend_ctx = ctx;
        self
    }

    /// The source of memory; the default is that of libc.
    pub fn allocator<A: Allocator>(mut self, allocator: A) -> Self {
        let context = self.own(allocator);
        self.allocator = Some(memory::ops(context.as_ptr()));
        self
    }

    /// A clock for policies, in nanoseconds; the default is a count of changes. The closure must
    /// be quick, and must not call the library.
    pub fn clock<C: Fn() -> u64 + Send + Sync + 'static>(mut self, clock: C) -> Self {
        self.opts.clock_ns = Some(memory::clock::<C>);
        self.opts.clock_ctx = self.own(clock).as_ptr().cast();
        self
    }

    /// For [`Policy::adaptive`]: the time in which the small mappings of a split 2M block cost as
    /// much as a merge and the next split; the same for a 1G block. 0: the library's default.
    pub fn merge_waits(mut self, wait_2m: u64, wait_1g: u64) -> Self {
        self.opts.merge_wait_2m = wait_2m;
        self.opts.merge_wait_1g = wait_1g;
        self
    }

    /// Creates the object. `Invalid`: the size is 0 or above 2^40 pages.
    pub fn build(self) -> Result<State, Error> {
        // SAFETY: create() passes options that are valid during the call
        self.create(|opts, state| unsafe { sys::gms_state_create(opts, state) })
    }

    /// Creates an object from a snapshot, whose bytes are not trusted. Calls no hook: the caller
    /// makes the memory what the state says.
    ///
    /// Set the size that is expected: it bounds the memory that a hostile snapshot can take.
    ///
    /// The kinds of errors are `Damaged`, `NewerVersion`, `NoMemory`, and `Invalid`: the snapshot
    /// has another size or folio order than the options.
    pub fn load(self, snapshot: &[u8]) -> Result<State, Error> {
        // SAFETY: create() passes options that are valid during the call; the slice is, too, and
        // nobody changes it
        self.create(|opts, state| unsafe {
            sys::gms_snapshot_load(snapshot.as_ptr().cast(), snapshot.len(), opts, state)
        })
    }

    fn own<T: Send + Sync + 'static>(&mut self, value: T) -> NonNull<T> {
        let (owner, value) = Owner::new(value);
        self.owned.push(owner);
        value
    }

    fn create(
        mut self,
        create: impl FnOnce(&sys::gms_state_opts, *mut *mut sys::gms_state) -> c_int,
    ) -> Result<State, Error> {
        let mut state = null_mut();
        if let Some(policy) = &self.policy {
            self.opts.policy = policy;
        }
        if let Some(backend) = &self.backend {
            self.opts.backend = backend;
        }
        if let Some(allocator) = &self.allocator {
            self.opts.allocator = allocator;
        }
        Error::check(create(&self.opts, &mut state))?;
        let state = NonNull::new(state).ok_or(Error::INVALID)?;
        if let Some(set_state) = self.set_state.take() {
            set_state(state);
        }
        // SAFETY: the object is new, and `owned` has all that its hooks need
        Ok(unsafe { State::new(state, self.owned) })
    }
}
