// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What has to be ended: faults, shared locks, pins. And walks over runs, which need no end.

use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ops::Range;

use gmemstate_sys as sys;

use crate::types::length;
use crate::{Error, Order, Run, StateRef};

/// Keeps a guard on the thread that made it: the library releases a lock on the thread that took
/// it.
type NotSend = PhantomData<*const ()>;

/// A fault that is being answered. Dropping it ends the fault.
///
/// While it lives, no page of the same shard is converted or punched out: the caller makes the
/// mapping meanwhile. Any call for the same object that takes a lock returns `Deadlock` on this
/// thread. A fault that is leaked (`mem::forget`) blocks conversions of its shard for ever.
#[must_use = "the fault ends when this is dropped"]
#[derive(Debug)]
pub struct Fault<'a> {
    state: &'a StateRef,
    index: u64,
    raw: sys::gms_fault,
    _thread: NotSend,
}

impl<'a> Fault<'a> {
    /// # Safety
    /// This thread has begun the fault, at this index, and nothing else ends it.
    pub(crate) unsafe fn new(state: &'a StateRef, index: u64, raw: sys::gms_fault) -> Self {
        Self { state, index, raw, _thread: PhantomData }
    }

    pub(crate) fn set_index(&mut self, index: u64) {
        self.index = index;
    }

    /// Returns the index of the page.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Returns the index of the first page of the folio.
    pub fn folio_index(&self) -> u64 {
        self.raw.folio_index
    }

    /// Returns the order of the folio.
    pub fn folio_order(&self) -> Order {
        Order::from_c(self.raw.folio_order)
    }

    /// Returns the order of the largest mapping that is allowed at the index.
    pub fn max_order(&self) -> Order {
        Order::from_c(self.raw.max_order)
    }

    /// Returns the pages that one mapping may cover: the block of `max_order` at the index.
    pub fn block(&self) -> Range<u64> {
        self.max_order().block(self.index)
    }

    /// Returns true if all pages of the block are private and prepared. False for the host.
    pub fn is_prepared(&self) -> bool {
        self.raw.prepared
    }

    /// Returns true if the folio was allocated for this fault.
    pub fn is_fresh(&self) -> bool {
        self.raw.fresh
    }

    /// Returns the sequence number at the index, for [`StateRef::seq_retry`].
    pub fn seq(&self) -> u64 {
        self.raw.seq
    }

    /// Prepares the block for the guest. May lower `max_order`.
    ///
    /// `Invalid`: a fault of the host. `Frozen`: there is something to prepare. Else what
    /// [`Backend::prepare`](crate::Backend::prepare) returned.
    pub fn prepare(&mut self) -> Result<(), Error> {
        // SAFETY: the fault is open, and this is the thread that began it
        Error::check(unsafe { sys::gms_fault_prepare(self.state.as_raw(), &mut self.raw) })
    }
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        // SAFETY: the fault is open, and this is the thread that began it (rule 18), because a
        // Fault is not Send
        unsafe { sys::gms_fault_end(self.state.as_raw(), &mut self.raw) }
    }
}

/// A range that is locked against conversions. Dropping it unlocks the range.
///
/// The holder may make queries and unpin. Any other call for the same object that takes a lock
/// returns `Deadlock` on this thread.
#[must_use = "the range is unlocked when this is dropped"]
#[derive(Debug)]
pub struct SharedLock<'a> {
    state: &'a StateRef,
    pages: Range<u64>,
    _thread: NotSend,
}

impl<'a> SharedLock<'a> {
    /// # Safety
    /// This thread has locked the range, and nothing else unlocks it.
    pub(crate) unsafe fn new(state: &'a StateRef, pages: Range<u64>) -> Self {
        Self { state, pages, _thread: PhantomData }
    }

    /// Returns the range.
    pub fn pages(&self) -> Range<u64> {
        self.pages.clone()
    }
}

impl Drop for SharedLock<'_> {
    fn drop(&mut self) {
        let (start, nr_pages) = (self.pages.start, length(&self.pages));
        // SAFETY: the range is locked by this thread (rule 18), because a SharedLock is not Send
        unsafe { sys::gms_unlock_shared(self.state.as_raw(), start, nr_pages) }
    }
}

/// Pages that are pinned. Dropping it unpins them, on any thread.
#[must_use = "the pages are unpinned when this is dropped"]
#[derive(Debug)]
pub struct Pinned<'a> {
    state: &'a StateRef,
    pages: Range<u64>,
}

impl<'a> Pinned<'a> {
    pub(crate) fn new(state: &'a StateRef, pages: Range<u64>) -> Self {
        Self { state, pages }
    }

    /// Returns the range.
    pub fn pages(&self) -> Range<u64> {
        self.pages.clone()
    }

    /// Keeps the pins. The caller unpins the pages later, by [`StateRef::unpin`].
    pub fn keep(self) -> Range<u64> {
        let pages = self.pages.clone();
        std::mem::forget(self);
        pages
    }
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        self.state.unpin(self.pages());
    }
}

/// The runs of a range: see [`StateRef::runs`].
#[derive(Clone, Debug)]
pub struct Runs<'a> {
    raw: sys::gms_iter,
    _state: PhantomData<&'a StateRef>,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(state: &'a StateRef, pages: &Range<u64>) -> Self {
        let mut raw = sys::gms_iter::default();
        // SAFETY: the object outlives the walk, which borrows it
        unsafe { sys::gms_iter_init(&mut raw, state.as_raw(), pages.start, length(pages)) };
        Self { raw, _state: PhantomData }
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let mut run = sys::gms_run::default();
        // SAFETY: the walk was begun, and its object still exists
        if unsafe { sys::gms_iter_next(&mut self.raw, &mut run) } {
            Some(Run::from_c(&run))
        } else {
            None
        }
    }
}

impl FusedIterator for Runs<'_> {}
