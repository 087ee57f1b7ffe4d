// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The calls of a state object.
//!
//! Each `unsafe` block calls C with the object, which exists as long as `self`, with numbers, which
//! C checks, and with pointers to variables of this call. The SAFETY comments say what is more.

use std::ffi::CStr;
use std::ops::Range;
use std::os::raw::{c_int, c_uint};
use std::ptr::{null, null_mut};

use gmemstate_sys as sys;

use crate::guards::{Fault, Pinned, Runs, SharedLock};
use crate::types::length;
use crate::{Accessor, Error, Order, Shareability, StateRef, Summary};

/// Names an attribute of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttrId(c_uint);

/// Names a binding of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindingId(c_uint);

/// Counts of what has happened; the header state.h describes the fields.
pub type Stats = sys::gms_stats;

/// Conversions.
impl StateRef {
    /// Converts a range: all of its pages, or none.
    ///
    /// Kinds of errors: `Invalid`, `Frozen`, `Deadlock`, `NoMemory`, and
    ///  - `Pinned`: a page is pinned, or the backend found it in use; `page()` is the first one;
    ///  - `Quarantined`: `page()` is the first such page;
    ///  - what a hook or a listener returned. All is undone then; if an undo fails, the range is
    ///    quarantined.
    ///
    /// On other errors `page()` is the start of the range.
    pub fn convert(&self, pages: Range<u64>, to: Shareability) -> Result<(), Error> {
        self.convert_by(pages, to, 0)
    }

    /// Converts a range, one 1G block after the other. On failure all pages before `page()` are
    /// converted, and none from there on was changed.
    pub fn convert_resumable(&self, pages: Range<u64>, to: Shareability) -> Result<(), Error> {
        self.convert_by(pages, to, sys::GMS_CONVERT_RESUMABLE)
    }

    /// Converts a range of gfns, which may be in several bindings: all of its pages, or none.
    ///
    /// As [`convert`](Self::convert), but `page()` of the error is a gfn: that of the page in the
    /// way; for the kind `NotBound` the first gfn that is not bound; on other errors the start.
    pub fn convert_gfn(&self, gfns: Range<u64>, to: Shareability) -> Result<(), Error> {
        let (gfn, nr_pages) = (gfns.start, length(&gfns));
        // SAFETY: see the head of this file
        Error::check_at(|at| unsafe {
            sys::gms_convert_gfn(self.as_raw(), gfn, nr_pages, to.to_c(), 0, at)
        })
    }

    fn convert_by(&self, pages: Range<u64>, to: Shareability, flags: c_uint) -> Result<(), Error> {
        let (start, nr_pages) = (pages.start, length(&pages));
        // SAFETY: see the head of this file
        Error::check_at(|at| unsafe {
            sys::gms_convert(self.as_raw(), start, nr_pages, to.to_c(), flags, at)
        })
    }

    /// Ends the quarantine of a range: its pages become private or shared, by the backend's
    /// `repair`, or by the caller before the call. Each page must be quarantined.
    pub fn repair(&self, pages: Range<u64>, to: Shareability) -> Result<(), Error> {
        let (start, nr_pages) = (pages.start, length(&pages));
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_repair(self.as_raw(), start, nr_pages, to.to_c()) })
    }
}

/// Queries. They take no lock, never wait, and may be made from anywhere.
impl StateRef {
    /// Returns the size in pages.
    pub fn nr_pages(&self) -> u64 {
        // SAFETY: see the head of this file
        unsafe { sys::gms_state_nr_pages(self.as_raw()) }
    }

    /// Returns true if a page is private, or past the end.
    pub fn is_private(&self, index: u64) -> bool {
        // SAFETY: see the head of this file
        unsafe { sys::gms_is_private(self.as_raw(), index) }
    }

    /// Returns true if every page of a range has a shareability. False for a range that is empty
    /// or passes the end.
    pub fn range_is(&self, pages: Range<u64>, what: Shareability) -> bool {
        // SAFETY: see the head of this file
        unsafe { sys::gms_range_is(self.as_raw(), pages.start, length(&pages), what.to_c()) }
    }

    /// Returns the summary of the block of an order at an index.
    pub fn summary(&self, index: u64, order: Order) -> Summary {
        // SAFETY: see the head of this file
        Summary::from_c(unsafe { sys::gms_summary(self.as_raw(), index, order.get()) })
    }

    /// Returns the order of the largest uniform block at an index. Considers shareability only.
    pub fn max_order(&self, index: u64) -> Order {
        // SAFETY: see the head of this file
        Order::from_c(unsafe { sys::gms_max_order(self.as_raw(), index) })
    }

    /// Counts the pages of a range that have a shareability.
    pub fn count(&self, pages: Range<u64>, what: Shareability) -> u64 {
        // SAFETY: see the head of this file
        unsafe { sys::gms_count(self.as_raw(), pages.start, length(&pages), what.to_c()) }
    }

    /// Walks over the runs of a range: neighbouring pages of one shareability. What lies past the
    /// end is left out.
    pub fn runs(&self, pages: Range<u64>) -> Runs<'_> {
        Runs::new(self, &pages)
    }

    /// Returns true if a page has memory.
    pub fn is_allocated(&self, index: u64) -> bool {
        // SAFETY: see the head of this file
        unsafe { sys::gms_is_allocated(self.as_raw(), index) }
    }

    /// Returns true if a page is private and prepared for the guest.
    pub fn is_prepared(&self, index: u64) -> bool {
        // SAFETY: see the head of this file
        unsafe { sys::gms_is_prepared(self.as_raw(), index) }
    }

    /// Returns true if a page is quarantined.
    pub fn is_quarantined(&self, index: u64) -> bool {
        // SAFETY: see the head of this file
        unsafe { sys::gms_is_quarantined(self.as_raw(), index) }
    }

    /// Finds the next quarantined pages of a range, up to its end.
    pub fn quarantine_next(&self, pages: Range<u64>) -> Option<Range<u64>> {
        let (mut first, mut count) = (0, 0);
        // SAFETY: see the head of this file
        let found = unsafe {
            sys::gms_quarantine_next(
                self.as_raw(),
                pages.start,
                length(&pages),
                &mut first,
                &mut count,
            )
        };
        found.then(|| first..first + count)
    }

    /// Returns the order of the folio at an index, or of the one that would be allocated there.
    pub fn folio_order(&self, index: u64) -> Order {
        // SAFETY: see the head of this file
        Order::from_c(unsafe { sys::gms_folio_order(self.as_raw(), index) })
    }

    /// Returns the sequence number of the 1G block at an index.
    pub fn seq_read(&self, index: u64) -> u64 {
        // SAFETY: see the head of this file
        unsafe { sys::gms_seq_read(self.as_raw(), index) }
    }

    /// Returns true if the block may have changed since [`seq_read`](Self::seq_read).
    pub fn seq_retry(&self, index: u64, seq: u64) -> bool {
        // SAFETY: see the head of this file
        unsafe { sys::gms_seq_retry(self.as_raw(), index, seq) }
    }

    /// Reads the counters.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { struct_size: std::mem::size_of::<Stats>(), ..Stats::default() };
        // SAFETY: C writes struct_size bytes at most
        let ret = unsafe { sys::gms_stats_read(self.as_raw(), &mut stats) };
        debug_assert_eq!(ret, 0);
        stats
    }
}

/// Faults, memory and pins.
impl StateRef {
    /// Begins a fault of a page, and allocates its folio if there is none. The fault ends when the
    /// guard is dropped; a thread has at most one fault of an object open.
    ///
    /// `Private`: the host faults a private page. `Quarantined`, `Frozen`, `Invalid`, `Deadlock`,
    /// `NoMemory`, and what a hook returned.
    pub fn fault(&self, index: u64, accessor: Accessor) -> Result<Fault<'_>, Error> {
        let mut raw = sys::gms_fault::default();
        // SAFETY: see the head of this file
        Error::check(unsafe {
            sys::gms_fault_begin(self.as_raw(), index, accessor.to_c(), &mut raw)
        })?;
        // SAFETY: the fault has begun here
        Ok(unsafe { Fault::new(self, index, raw) })
    }

    /// Begins a fault at a gfn. `NotBound`: nothing is bound there; else as [`fault`](Self::fault).
    /// The index of the guard is looked up under the fault, which keeps the binding as it is.
    pub fn fault_gfn(&self, gfn: u64, accessor: Accessor) -> Result<Fault<'_>, Error> {
        let mut raw = sys::gms_fault::default();
        // SAFETY: see the head of this file
        Error::check(unsafe {
            sys::gms_fault_begin_gfn(self.as_raw(), gfn, accessor.to_c(), &mut raw)
        })?;
        // SAFETY: the fault has begun here
        let mut fault = unsafe { Fault::new(self, 0, raw) };
        match self.gfn_to_index(gfn) {
            Some(index) => fault.set_index(index),
            None => return Err(Error::NOT_BOUND), // cannot be: the binding does not change
        }
        Ok(fault)
    }

    /// Allocates the folios of a range. On failure `page()` is the first page that has none.
    pub fn allocate(&self, pages: Range<u64>) -> Result<(), Error> {
        let (start, nr_pages) = (pages.start, length(&pages));
        // SAFETY: see the head of this file
        Error::check_at(|at| unsafe { sys::gms_allocate(self.as_raw(), start, nr_pages, at) })
    }

    /// Frees the memory of a range. `Pinned`: `page()` is the first pinned page of the range, or
    /// its start. If the backend fails afterwards to map its part for the host, the call succeeds,
    /// and the hole is quarantined.
    pub fn punch_hole(&self, pages: Range<u64>) -> Result<(), Error> {
        let (start, nr_pages) = (pages.start, length(&pages));
        // SAFETY: see the head of this file
        Error::check_at(|at| unsafe { sys::gms_punch_hole(self.as_raw(), start, nr_pages, at) })
    }

    /// Takes a reference on each page of a range, as get_user_pages() of the host does. A pinned
    /// page does not become private and is not punched out. On failure no page is pinned, and
    /// `page()` is the first page that could not be.
    ///
    /// Most users of pins outlive any borrow: a device is told to unmap long after it was told to
    /// map. Hence the pair `pin` and [`unpin`](Self::unpin); [`pinned`](Self::pinned) is for pins
    /// that end with a scope.
    pub fn pin(&self, pages: Range<u64>) -> Result<(), Error> {
        let (start, nr_pages) = (pages.start, length(&pages));
        // SAFETY: see the head of this file
        Error::check_at(|at| unsafe { sys::gms_pin(self.as_raw(), start, nr_pages, at) })
    }

    /// Pins a range until the guard is dropped, as [`pin`](Self::pin) does.
    pub fn pinned(&self, pages: Range<u64>) -> Result<Pinned<'_>, Error> {
        self.pin(pages.clone())?;
        Ok(Pinned::new(self, pages))
    }

    /// Releases one reference on each page of a range. Cannot fail, and works inside hooks. Pages
    /// that are not pinned are counted (`surplus_unpins` of [`Stats`]).
    pub fn unpin(&self, pages: Range<u64>) {
        // SAFETY: see the head of this file
        unsafe { sys::gms_unpin(self.as_raw(), pages.start, length(&pages)) }
    }

    /// Returns the first page of a range that [`pin`](Self::pin) has pinned.
    pub fn first_pin(&self, pages: Range<u64>) -> Option<u64> {
        let (start, nr_pages) = (pages.start, length(&pages));
        let mut index = 0;
        // SAFETY: see the head of this file
        if unsafe { sys::gms_first_pin(self.as_raw(), start, nr_pages, &mut index) } {
            Some(index)
        } else {
            None
        }
    }

    /// Locks a range against conversions until the guard is dropped.
    pub fn lock_shared(&self, pages: Range<u64>) -> Result<SharedLock<'_>, Error> {
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_lock_shared(self.as_raw(), pages.start, length(&pages)) })?;
        // SAFETY: the range has been locked here
        Ok(unsafe { SharedLock::new(self, pages) })
    }

    /// Merges folios where the policy wants them merged, in at most `max_blocks` 1G blocks.
    /// Returns the number of merges; 0 also where another call would return `Deadlock`.
    pub fn maintain(&self, max_blocks: u64) -> u64 {
        // SAFETY: see the head of this file
        unsafe { sys::gms_maintain(self.as_raw(), max_blocks) }
    }
}

/// Attributes and inhibits: limits of the guest's mappings.
impl StateRef {
    /// Creates an attribute, an empty set of pages. It lasts as long as the object.
    pub fn attr_create(&self) -> Result<AttrId, Error> {
        let mut id = 0;
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_attr_create(self.as_raw(), &mut id) })?;
        Ok(AttrId(id))
    }

    /// Sets or clears an attribute of pages. The guest's mappings of those that change are zapped.
    pub fn attr_set(&self, attr: AttrId, pages: Range<u64>, set: bool) -> Result<(), Error> {
        let (start, nr_pages) = (pages.start, length(&pages));
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_attr_set(self.as_raw(), attr.0, start, nr_pages, set) })
    }

    /// Returns true if a page has an attribute.
    pub fn attr_test(&self, attr: AttrId, index: u64) -> bool {
        // SAFETY: see the head of this file
        unsafe { sys::gms_attr_test(self.as_raw(), attr.0, index) }
    }

    /// Inhibits mappings of the guest that are larger than `order`: 4K or 2M.
    pub fn inhibit(&self, pages: Range<u64>, order: Order) -> Result<(), Error> {
        let (start, nr_pages) = (pages.start, length(&pages));
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_inhibit(self.as_raw(), start, nr_pages, order.get()) })
    }

    /// Lifts the inhibits of a range.
    pub fn uninhibit(&self, pages: Range<u64>) -> Result<(), Error> {
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_uninhibit(self.as_raw(), pages.start, length(&pages)) })
    }
}

/// Bindings: where the guest sees the pages.
impl StateRef {
    /// Binds pages to gfns, from `gfn` on. `Exists`: one of them is bound already.
    pub fn bind(&self, gfn: u64, pages: Range<u64>) -> Result<BindingId, Error> {
        let (start, nr_pages) = (pages.start, length(&pages));
        let mut id = 0;
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_bind(self.as_raw(), gfn, start, nr_pages, &mut id) })?;
        Ok(BindingId(id))
    }

    /// Removes a binding. When the call returns, each fault that began before it has ended.
    pub fn unbind(&self, binding: BindingId) -> Result<(), Error> {
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_unbind(self.as_raw(), binding.0) })
    }

    /// Returns the page that the guest sees at a gfn; `None`: nothing is bound there.
    pub fn gfn_to_index(&self, gfn: u64) -> Option<u64> {
        let mut index = 0;
        // SAFETY: see the head of this file
        match unsafe { sys::gms_gfn_to_index(self.as_raw(), gfn, &mut index) } {
            0 => Some(index),
            _ => None,
        }
    }

    /// Returns the order of the largest mapping that the guest could have at a gfn.
    pub fn gfn_max_order(&self, gfn: u64) -> Option<Order> {
        let mut order = 0;
        // SAFETY: see the head of this file
        match unsafe { sys::gms_gfn_max_order(self.as_raw(), gfn, &mut order) } {
            0 => Some(Order::from_c(order)),
            _ => None,
        }
    }
}

/// Freezing, saving, checking.
impl StateRef {
    /// Freezes the object: every change returns `Frozen`, until [`thaw`](Self::thaw). Waits for
    /// the changes that are under way.
    ///
    /// There is no guard: freezing twice is the same as once, so a guard of one thread would thaw
    /// what another has frozen.
    pub fn freeze(&self) -> Result<(), Error> {
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_freeze(self.as_raw()) })
    }

    /// Lets a frozen object change again.
    pub fn thaw(&self) -> Result<(), Error> {
        // SAFETY: see the head of this file
        Error::check(unsafe { sys::gms_thaw(self.as_raw()) })
    }

    /// Returns true if the object is frozen.
    pub fn is_frozen(&self) -> bool {
        // SAFETY: see the head of this file
        unsafe { sys::gms_is_frozen(self.as_raw()) }
    }

    /// Saves a snapshot. [`Builder::load`](crate::Builder::load) makes an object of it.
    pub fn save(&self) -> Result<Vec<u8>, Error> {
        let mut snapshot = Vec::new();
        loop {
            let mut needed = 0;
            let ret = self.save_into(&mut snapshot, &mut needed);
            if ret == 0 && snapshot.len() == needed {
                return Ok(snapshot);
            }
            // The first turn learns the size. Unless the object is frozen, it may change again.
            if ret != 0 && ret != -sys::errno::ENOSPC {
                Error::check(ret)?;
            }
            snapshot.clear();
            snapshot.try_reserve_exact(needed).map_err(|_| Error::NO_MEMORY)?;
            snapshot.resize(needed, 0);
        }
    }

    fn save_into(&self, buffer: &mut [u8], needed: &mut usize) -> c_int {
        // C wants NULL for an empty buffer
        let start = if buffer.is_empty() { null_mut() } else { buffer.as_mut_ptr().cast() };
        // SAFETY: C writes no more than the length of the buffer
        unsafe { sys::gms_snapshot_save(self.as_raw(), start, buffer.len(), needed) }
    }

    /// Checks every invariant by brute force. The error says what is wrong, or that the call was
    /// made where another one would return `Deadlock`.
    pub fn verify(&self) -> Result<(), &'static str> {
        let mut reason = null();
        // SAFETY: see the head of this file
        if unsafe { sys::gms_state_verify(self.as_raw(), &mut reason) } {
            return Ok(());
        }
        if reason.is_null() {
            return Err("no reason given");
        }
        // SAFETY: the reason is a constant string of the library
        Err(unsafe { CStr::from_ptr(reason) }.to_str().unwrap_or("?"))
    }
}
