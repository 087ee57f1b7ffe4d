// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The state object: who owns it, and its listeners.

use std::fmt;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gmemstate_sys as sys;

use crate::hook::{Context, Owner};
use crate::listener::{self, Listener, ListenerId, ListenerOptions};
use crate::types::length;
use crate::{Builder, Error};

/// The state of one guest memory object: which pages are private, which folios back them, which
/// pages are pinned. Dropping it withdraws everything from the listeners and frees all folios.
///
/// All calls are methods of [`StateRef`], which a `State` dereferences to. Listeners are registered
/// with the `State`, which owns them.
pub struct State {
    state: StateRef,
    listeners: Mutex<Vec<Registered>>,
    /// The backend, the policy, the clock and the allocator. Dropped after the object.
    _owned: Vec<Owner>,
}

struct Registered {
    key: ListenerId,
    number: std::os::raw::c_uint,
    _context: Owner,
}

/// What hooks and listeners see of a [`State`]: all calls, without the ownership.
///
/// Any thread may call any method at any time. A call that would wait for its own thread returns
/// the kind `Deadlock` and does nothing: inside a hook, inside a listener, and while the thread
/// has a fault open or holds a shared lock of the same object. The library knows the first four
/// such objects of a thread: a thread that has faults open in more than four objects may deadlock.
pub struct StateRef {
    raw: NonNull<sys::gms_state>,
}

// SAFETY: the object belongs to no thread. Its calls may be made from any of them (state.h,
// "Locks"), except that a fault and a shared lock end on the thread that began them (rule 18):
// their guards are not Send. What the object calls is Send and Sync: the traits demand it.
unsafe impl Send for StateRef {}
// SAFETY: all calls but gms_state_destroy() may run at the same time (rules 18 and 19), and
// queries beside any of them (R1 to R5). Only dropping a State destroys, which needs it alone.
unsafe impl Sync for StateRef {}

impl fmt::Debug for StateRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateRef").field("nr_pages", &self.nr_pages()).finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("nr_pages", &self.nr_pages()).finish_non_exhaustive()
    }
}

impl StateRef {
    /// # Safety
    /// The object exists as long as the result does.
    pub(crate) unsafe fn new(raw: NonNull<sys::gms_state>) -> Self {
        Self { raw }
    }

    /// Returns the object of C, for calls that this crate lacks, such as `gms_kvm_sync()`. It
    /// must not be destroyed.
    pub fn as_raw(&self) -> *mut sys::gms_state {
        self.raw.as_ptr()
    }
}

impl Deref for State {
    type Target = StateRef;

    fn deref(&self) -> &StateRef {
        &self.state
    }
}

impl State {
    /// Begins the options of an object of `nr_pages` pages of 4 KiB.
    pub fn builder(nr_pages: u64) -> Builder {
        Builder::new(nr_pages)
    }

    /// # Safety
    /// The object is new and has no other owner. `owned` has all contexts of its hooks.
    pub(crate) unsafe fn new(raw: NonNull<sys::gms_state>, owned: Vec<Owner>) -> Self {
        Self { state: StateRef { raw }, listeners: Mutex::new(Vec::new()), _owned: owned }
    }

    /// The lock is never held during a call of C: a listener may come here.
    fn registered(&self) -> MutexGuard<'_, Vec<Registered>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a listener for a range, and notifies it of all that is shared already.
    ///
    /// If the listener refuses, what it was notified of is withdrawn, it is not registered, and it
    /// is dropped. If it refuses the withdrawal as well, its range is quarantined.
    ///
    /// `Invalid`: the range is empty or passes the end, or the granule does not fit.
    pub fn register_listener<L: Listener>(
        &self,
        pages: Range<u64>,
        options: &ListenerOptions,
        listener: L,
    ) -> Result<ListenerId, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);

        let context = Context::new(listener);
        context.set_state(self.state.raw);
        let (owner, context) = Owner::new(context);
        let mut number = 0;
        // SAFETY: the hook is for a context of this type. The context lives until the listener is
        // unregistered: by unregister_listener(), or because the object is destroyed. If C
        // refuses the listener, it keeps no pointer to it.
        Error::check(unsafe {
            sys::gms_listener_register(
                self.as_raw(),
                &listener::ops::<L>(options),
                context.as_ptr().cast(),
                pages.start,
                length(&pages),
                options.granule,
                &mut number,
            )
        })?;
        let key = ListenerId(NEXT.fetch_add(1, Ordering::Relaxed));
        self.registered().push(Registered { key, number, _context: owner });
        Ok(key)
    }

    /// Unregisters a listener: withdraws all that it holds, and drops it.
    ///
    /// If the listener refuses, it stays registered, and the call returns its error. `Invalid`:
    /// this object has no such listener, or another thread is unregistering it.
    ///
    /// There is no guard that unregisters when it is dropped, because a listener may refuse.
    pub fn unregister_listener(&self, id: ListenerId) -> Result<(), Error> {
        // Taken out of the list, the listener cannot be unregistered twice at the same time.
        let listener = {
            let mut all = self.registered();
            let at = all.iter().position(|one| one.key == id).ok_or(Error::INVALID)?;
            all.swap_remove(at)
        };
        // SAFETY: the number is that of a listener of this object
        let result =
            Error::check(unsafe { sys::gms_listener_unregister(self.as_raw(), listener.number) });
        if result.is_err() {
            self.registered().push(listener);
        }
        result
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: nothing borrows the object: guards, walks and the arguments of hooks do so as
        // long as they live. A guard that was leaked uses it no more. C calls the hooks and
        // listeners for the last time here; their contexts are dropped after this.
        unsafe { sys::gms_state_destroy(self.as_raw()) }
    }
}
