// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What all calls from C into Rust share.
//!
//! C calls a hook with locks held and steps half done, so no panic may unwind into C:
//!
//!  - If the hook can fail, a panic counts as a failure with `EIO`. The call that needed the hook
//!    undoes its steps.
//!  - If the hook cannot fail, a panic ends the process. The guest would go on with mappings that
//!    it must not have.
//!  - A policy and a clock have an answer that is always right, and give that one.

use std::any::Any;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use gmemstate_sys as sys;

use crate::{Errno, StateRef};

/// Drops what a panic carried. A drop that panics itself is stopped here, too; what that panic
/// carried is leaked.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Runs code that may panic; then returns `None`.
///
/// AssertUnwindSafe is right here. The closures of this crate have mutable references to numbers
/// only, which are valid whatever they are. A hook is shared: a type that a panic can leave
/// inconsistent has to guard itself, as `Mutex` does.
pub(crate) fn guarded<R>(call: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(call)).map_err(discard).ok()
}

/// Runs a hook that can fail. Returns 0 or -errno.
pub(crate) fn fallible(call: impl FnOnce() -> Result<(), Errno>) -> c_int {
    match guarded(call) {
        Some(Ok(())) => 0,
        Some(Err(errno)) => -errno.get(),
        None => -Errno::EIO.get(),
    }
}

/// Runs a hook that cannot fail.
pub(crate) fn infallible(call: impl FnOnce()) {
    if guarded(call).is_none() {
        std::process::abort(); // the panic has printed its message
    }
}

/// What C gets as the context of a hook: the value, and the object that the hook belongs to.
#[repr(C)]
pub(crate) struct Context<T> {
    state: AtomicPtr<sys::gms_state>,
    pub(crate) value: T,
}

impl<T> Context<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { state: AtomicPtr::new(std::ptr::null_mut()), value }
    }

    /// Tells the context its object. C calls no hook of an object before it has created it.
    pub(crate) fn set_state(&self, state: NonNull<sys::gms_state>) {
        self.state.store(state.as_ptr(), Ordering::Release);
    }

    /// Returns the object, for one call of a hook.
    ///
    /// # Safety
    /// C is calling a hook of this context: the object exists until the hook returns.
    pub(crate) unsafe fn state(&self) -> StateRef {
        let state = NonNull::new(self.state.load(Ordering::Acquire));
        let state = state.expect("C calls no hook of an object that it has not created");
        // SAFETY: as the caller says
        unsafe { StateRef::new(state) }
    }
}

/// Owns a value that C has a pointer to, whatever its type is. Frees it when dropped.
pub(crate) struct Owner {
    value: NonNull<c_void>,
    free: unsafe fn(NonNull<c_void>),
}

// SAFETY: the value is Send and Sync: see new()
unsafe impl Send for Owner {}
// SAFETY: as above
unsafe impl Sync for Owner {}

impl Owner {
    pub(crate) fn new<T: Send + Sync + 'static>(value: T) -> (Self, NonNull<T>) {
        unsafe fn free<T>(value: NonNull<c_void>) {
            // SAFETY: new() has made the pointer of a box of this type; drop() comes once
            drop(unsafe { Box::from_raw(value.cast::<T>().as_ptr()) })
        }

        let value = NonNull::from(Box::leak(Box::new(value)));
        (Self { value: value.cast(), free: free::<T> }, value)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: `free` is the function for the type of the value
        unsafe { (self.free)(self.value) }
    }
}
