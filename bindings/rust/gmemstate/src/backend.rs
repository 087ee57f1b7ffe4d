// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The backend: hooks that change memory, mappings and the architecture.

use std::ops::Range;
use std::os::raw::{c_int, c_uint, c_void};

use gmemstate_sys as sys;

use crate::hook::{fallible, guarded, infallible, Context};
use crate::types::from_start;
use crate::{Errno, Order, Shareability, StateRef};

/// What [`Backend::prepare`] has prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The block, as a whole.
    Whole,
    /// The block in smaller parts: from now on the guest may have no larger mapping there.
    InParts(Order),
}

/// Changes the real memory when the state changes.
///
/// The header backend.h has the order of the calls, and what is undone when a hook fails. A hook
/// runs with locks held. It may make queries and call [`StateRef::unpin`]; any other call for the
/// same object returns `Deadlock`. It must not wait for a thread that faults, pins or converts in
/// the same shard. Hooks for different folios may run at the same time.
///
/// A panic never unwinds into C. In a hook that returns a result it counts as a failure with
/// `EIO`; in one that returns nothing it **ends the process**. Each method has a default that does
/// nothing and succeeds.
#[allow(unused_variables)]
pub trait Backend: Send + Sync + 'static {
    /// Returns true if pins are counted by folio, and not by page. Asked once.
    fn pins_by_folio(&self) -> bool {
        false
    }

    /// Returns true if the backend maps for the host by itself, in [`map_host`](Self::map_host).
    /// If false, the host faults pages back in. Asked once.
    fn maps_host(&self) -> bool {
        false
    }

    /// Unmaps pages from the host.
    fn unmap_host(&self, state: &StateRef, pages: Range<u64>) -> Result<(), Errno> {
        Ok(())
    }

    /// Maps shared pages for the host. If it fails, they are quarantined.
    fn map_host(&self, state: &StateRef, pages: Range<u64>) -> Result<(), Errno> {
        Ok(())
    }

    /// Looks for references that the library does not count. Returns the first page with one.
    fn check_pins(&self, state: &StateRef, pages: Range<u64>) -> Result<Option<u64>, Errno> {
        Ok(None)
    }

    /// Begins a change of the guest's mappings. A panic ends the process.
    fn invalidate_begin(&self, state: &StateRef, pages: Range<u64>) {}

    /// Unmaps from the guest the pages that are `only`. A panic ends the process.
    fn zap_guest(&self, state: &StateRef, pages: Range<u64>, only: Shareability) {}

    /// Ends what `invalidate_begin` began. A panic ends the process.
    fn invalidate_end(&self, state: &StateRef, pages: Range<u64>) {}

    /// Makes pages private or shared for the architecture.
    ///
    /// `failed` is the first page before the call. On failure the hook may set it to the first
    /// page that is not applied; `undo` is then called for the pages before that one. With
    /// `EAGAIN` it is also the page that is in use. After a panic `undo` is called for all pages.
    fn apply(
        &self,
        state: &StateRef,
        pages: Range<u64>,
        to: Shareability,
        failed: &mut u64,
    ) -> Result<(), Errno> {
        Ok(())
    }

    /// Undoes an apply. If it fails, the pages are quarantined.
    fn undo(
        &self,
        state: &StateRef,
        pages: Range<u64>,
        back_to: Shareability,
    ) -> Result<(), Errno> {
        Ok(())
    }

    /// Makes the private block at `index` ready for the guest.
    fn prepare(&self, state: &StateRef, index: u64, order: Order) -> Result<Prepared, Errno> {
        Ok(Prepared::Whole)
    }

    /// Allocates a folio.
    fn folio_alloc(&self, state: &StateRef, index: u64, order: Order) -> Result<(), Errno> {
        Ok(())
    }

    /// Frees a folio. A panic ends the process.
    fn folio_free(&self, state: &StateRef, index: u64, order: Order) {}

    /// Splits the folio at `index`, of order `from`, into folios of order `to`.
    fn folio_split(
        &self,
        state: &StateRef,
        index: u64,
        from: Order,
        to: Order,
    ) -> Result<(), Errno> {
        Ok(())
    }

    /// Merges the folios of order `from` in the block of order `to`.
    fn folio_merge(
        &self,
        state: &StateRef,
        index: u64,
        from: Order,
        to: Order,
    ) -> Result<(), Errno> {
        Ok(())
    }

    /// Is notified that the 1G block at `index` has no folios any more. A panic ends the process.
    fn block_freed(&self, state: &StateRef, index: u64) {}

    /// Makes quarantined pages private or shared, whatever they are now.
    fn repair(&self, state: &StateRef, pages: Range<u64>, to: Shareability) -> Result<(), Errno> {
        Ok(())
    }
}

pub(crate) fn ops<B: Backend>(backend: &B) -> sys::gms_backend_ops {
    sys::gms_backend_ops {
        struct_size: std::mem::size_of::<sys::gms_backend_ops>(),
        flags: if backend.pins_by_folio() { sys::GMS_BACKEND_PINS_BY_FOLIO } else { 0 },
        unmap_host: Some(unmap_host::<B>),
        check_pins: Some(check_pins::<B>),
        invalidate_begin: Some(invalidate_begin::<B>),
        zap_guest: Some(zap_guest::<B>),
        apply: Some(apply::<B>),
        undo: Some(undo::<B>),
        invalidate_end: Some(invalidate_end::<B>),
        prepare: Some(prepare::<B>),
        folio_alloc: Some(folio_alloc::<B>),
        folio_free: Some(folio_free::<B>),
        folio_split: Some(folio_split::<B>),
        folio_merge: Some(folio_merge::<B>),
        block_freed: Some(block_freed::<B>),
        map_host: if backend.maps_host() { Some(map_host::<B>) } else { None },
        repair: Some(repair::<B>),
    }
}

/// Returns what a hook works on.
///
/// # Safety
/// C is calling a hook with this context, which was made for the type B and outlives the object.
/// The lifetime is at most that of the call.
unsafe fn parts<'a, B>(ctx: *mut c_void) -> (&'a B, StateRef) {
    // SAFETY: as the caller says
    unsafe {
        let context = &*ctx.cast::<Context<B>>();
        (&context.value, context.state())
    }
}

/// Defines a hook of C that passes its arguments on to the method of the same name. C calls it
/// with the context that `Builder::backend` has made for the type.
macro_rules! hooks {
    ($($run:ident $name:ident($($arg:ident: $type:ty),*) $(-> $ret:ty)?, $($value:expr),*;)*) => {$(
        unsafe extern "C" fn $name<B: Backend>(ctx: *mut c_void, $($arg: $type),*) $(-> $ret)? {
            $run(|| {
                // SAFETY: C is calling a hook of this object
                let (backend, state) = unsafe { parts::<B>(ctx) };
                backend.$name(&state, $($value),*)
            })
        }
    )*};
}

hooks! {
    fallible unmap_host(start: u64, nr_pages: u64) -> c_int, from_start(start, nr_pages);
    fallible map_host(start: u64, nr_pages: u64) -> c_int, from_start(start, nr_pages);
    infallible invalidate_begin(start: u64, nr_pages: u64), from_start(start, nr_pages);
    infallible invalidate_end(start: u64, nr_pages: u64), from_start(start, nr_pages);
    infallible zap_guest(start: u64, nr_pages: u64, only: sys::gms_shareability),
        from_start(start, nr_pages), Shareability::from_c(only);
    fallible undo(start: u64, nr_pages: u64, to: sys::gms_shareability) -> c_int,
        from_start(start, nr_pages), Shareability::from_c(to);
    fallible repair(start: u64, nr_pages: u64, to: sys::gms_shareability) -> c_int,
        from_start(start, nr_pages), Shareability::from_c(to);
    fallible folio_alloc(index: u64, order: c_uint) -> c_int, index, Order::from_c(order);
    infallible folio_free(index: u64, order: c_uint), index, Order::from_c(order);
    fallible folio_split(index: u64, from: c_uint, to: c_uint) -> c_int,
        index, Order::from_c(from), Order::from_c(to);
    fallible folio_merge(index: u64, from: c_uint, to: c_uint) -> c_int,
        index, Order::from_c(from), Order::from_c(to);
    infallible block_freed(index: u64), index;
}

unsafe extern "C" fn check_pins<B: Backend>(
    ctx: *mut c_void,
    start: u64,
    nr_pages: u64,
    pinned: *mut u64,
) -> c_int {
    fallible(|| {
        // SAFETY: C is calling a hook of this object
        let (backend, state) = unsafe { parts::<B>(ctx) };
        match backend.check_pins(&state, from_start(start, nr_pages))? {
            None => Ok(()),
            Some(page) => {
                // SAFETY: C passes a place for an index. It reads an index outside of the range
                // as the first page.
                unsafe { *pinned = page };
                Err(Errno::EAGAIN)
            }
        }
    })
}

unsafe extern "C" fn apply<B: Backend>(
    ctx: *mut c_void,
    start: u64,
    nr_pages: u64,
    to: sys::gms_shareability,
    failed: *mut u64,
) -> c_int {
    // If the hook panics, nobody can tell which pages are applied: all are undone.
    let mut at = from_start(start, nr_pages).end;
    let ret = fallible(|| {
        // SAFETY: C is calling a hook of this object
        let (backend, state) = unsafe { parts::<B>(ctx) };
        let mut page = start;
        let to = Shareability::from_c(to);
        let result = backend.apply(&state, from_start(start, nr_pages), to, &mut page);
        at = page;
        result
    });
    if ret != 0 {
        // SAFETY: C passes a place for an index, and cuts what it reads to the range
        unsafe { *failed = at };
    }
    ret
}

unsafe extern "C" fn prepare<B: Backend>(ctx: *mut c_void, index: u64, order: c_uint) -> c_int {
    let result = guarded(|| {
        // SAFETY: C is calling a hook of this object
        let (backend, state) = unsafe { parts::<B>(ctx) };
        backend.prepare(&state, index, Order::from_c(order))
    });
    match result {
        // an order that limits nothing: C has no answer for it
        Some(Ok(Prepared::Whole)) | Some(Ok(Prepared::InParts(Order::Size1G))) => 0,
        Some(Ok(Prepared::InParts(order))) => sys::gms_prepared_at(order.get()),
        Some(Err(errno)) => -errno.get(),
        None => -Errno::EIO.get(),
    }
}
