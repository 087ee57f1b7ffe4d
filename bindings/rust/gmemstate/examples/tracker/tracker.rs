// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A tracker of shared pages for the devices of a VM, in the shape that cloud-hypervisor's has.
//!
//! The VMM calls [`Tracker::handle_conversion`] when the guest asks for a conversion. Each device
//! with DMA has a [`DmaMapping`], which has exactly the shared pages mapped: `iova` is `gpa`.
//!
//! What the state object adds:
//!  - A conversion succeeds or fails as a whole, also over several regions.
//!  - If a device fails to unmap, the others get their pages back. Conversions of other pages, and
//!    of these once the device works again, go on.
//!  - If a device fails to undo as well, the range is quarantined, and nothing else is.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gmemstate::{
    pages_of_bytes, Backend, Batch, Errno, Error, Listener, ListenerId, ListenerOptions, Run,
    Shareability, State, StateRef,
};

pub const PAGE_SIZE: u64 = 4096;

/// Maps guest memory for the DMA of a device. A mapping can only be unmapped as a whole.
pub trait DmaMapping: Send + Sync {
    fn map(&self, iova: u64, gpa: u64, size: u64) -> io::Result<()>;
    /// Unmaps all mappings in a range.
    fn unmap(&self, iova: u64, size: u64) -> io::Result<()>;
}

/// A region of RAM: where the guest sees it, and the index of its first page.
struct Region {
    gfns: Range<u64>,
    start: u64,
}

/// The regions, in the order of their addresses. They follow each other in the object without a
/// gap. So the pages of any range of addresses are one range of indices.
struct Regions(Vec<Region>);

impl Regions {
    fn nr_pages(&self) -> u64 {
        self.0.iter().map(|region| region.gfns.end - region.gfns.start).sum()
    }

    /// Returns the pages that a range of gfns has in the regions; an empty range if it has none.
    fn pages(&self, gfns: Range<u64>) -> Range<u64> {
        let mut pages = 0..0;
        for region in &self.0 {
            let start = gfns.start.max(region.gfns.start);
            let end = gfns.end.min(region.gfns.end);
            if start < end {
                let at = region.start + start - region.gfns.start;
                if pages.is_empty() {
                    pages.start = at;
                }
                pages.end = at + end - start;
            }
        }
        pages
    }

    /// Returns the address at which the guest sees a page.
    fn gpa(&self, index: u64) -> u64 {
        let next = self.0.partition_point(|region| region.start <= index);
        let region = &self.0[next - 1];
        (region.gfns.start + index - region.start) * PAGE_SIZE
    }
}

/// The listener of one device. Knows the device weakly: the VMM owns it. A device that is gone
/// holds nothing, so there is nothing to map or unmap.
struct Device {
    regions: Arc<Regions>,
    mapping: Weak<dyn DmaMapping>,
    unmaps_by_page: bool,
}

impl Device {
    /// Returns the number of runs, from the first on, that one unmap can cover.
    fn neighbours(&self, runs: &[u64]) -> usize {
        let most = if self.unmaps_by_page { 1 } else { runs.len() };
        (1..most).find(|&i| runs[i] != runs[i - 1] + PAGE_SIZE).unwrap_or(most)
    }
}

impl Listener for Device {
    fn change(&self, _: &StateRef, _: Run) -> Result<(), Errno> {
        Ok(()) // change_batch() does the work
    }

    /// Each run is one page. Each page gets a mapping of its own, because that is the smallest
    /// part that can be unmapped; neighbours are unmapped at once.
    fn change_batch(&self, _: &StateRef, batch: Batch<'_>, done: &mut usize) -> Result<(), Errno> {
        let mapping = match self.mapping.upgrade() {
            Some(mapping) => mapping,
            None => return Ok(()),
        };
        let gpas: Vec<u64> = batch.iter().map(|run| self.regions.gpa(run.pages.start)).collect();
        while *done < gpas.len() {
            let gpa = gpas[*done];
            let count = match batch.to() {
                Shareability::Shared => {
                    mapping.map(gpa, gpa, PAGE_SIZE)?;
                    1
                }
                Shareability::Private => {
                    let count = self.neighbours(&gpas[*done..]);
                    mapping.unmap(gpa, count as u64 * PAGE_SIZE)?;
                    count
                }
            };
            *done += count;
        }
        Ok(())
    }
}

struct Handler {
    mapping: Weak<dyn DmaMapping>,
    id: ListenerId,
}

pub struct Tracker {
    state: State,
    regions: Arc<Regions>,
    /// Not taken by conversions.
    handlers: Mutex<Vec<Handler>>,
}

impl Tracker {
    /// Begins with all pages private. A region is (gpa, size) in bytes; `kvm` makes the conversions
    /// of the memory itself, after the devices have unmapped and before they map.
    pub fn new<B: Backend>(regions: &[(u64, u64)], kvm: B) -> Result<Self, Error> {
        let mut all = Vec::new();
        let mut regions = regions.to_vec();
        regions.sort_unstable();
        let mut start = 0;
        for (gpa, size) in regions {
            let gfns = pages_of_bytes(gpa..gpa.saturating_add(size))?;
            all.push(Region { start, gfns: gfns.clone() });
            start += gfns.end - gfns.start;
        }
        let regions = Arc::new(Regions(all));
        let state = State::builder(regions.nr_pages()).private().backend(kvm).build()?;
        for region in &regions.0 {
            let end = region.start + region.gfns.end - region.gfns.start;
            state.bind(region.gfns.start, region.start..end)?;
        }
        Ok(Self { state, regions, handlers: Mutex::new(Vec::new()) })
    }

    pub fn state(&self) -> &StateRef {
        &self.state
    }

    fn handlers(&self) -> MutexGuard<'_, Vec<Handler>> {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pages(&self, gpa: u64, size: u64) -> Result<Range<u64>, Error> {
        let gfns = pages_of_bytes(gpa..gpa.saturating_add(size))?;
        Ok(self.regions.pages(gfns))
    }

    /// Converts what a range of addresses has in the regions. What lies outside is ignored.
    pub fn handle_conversion(&self, gpa: u64, size: u64, to_shared: bool) -> Result<(), Error> {
        let pages = self.pages(gpa, size)?;
        if pages.is_empty() {
            return Ok(());
        }
        let to = if to_shared { Shareability::Shared } else { Shareability::Private };
        self.state.convert(pages, to)
    }

    /// Ends a quarantine, after the VMM has reset the device that failed.
    pub fn repair(&self, gpa: u64, size: u64, shared: bool) -> Result<(), Error> {
        let to = if shared { Shareability::Shared } else { Shareability::Private };
        self.state.repair(self.pages(gpa, size)?, to)
    }

    /// Adds a device, and maps for it what is shared. With `unmaps_by_page`, as for vfio-user, each
    /// unmap is of one mapping.
    pub fn add_handler(
        &self,
        mapping: &Arc<dyn DmaMapping>,
        unmaps_by_page: bool,
    ) -> Result<(), Error> {
        let mut handlers = self.handlers();
        self.forget_dropped(&mut handlers);
        let is_known = handlers.iter().any(|handler| is(&handler.mapping, mapping));
        assert!(!is_known, "the device was added already");
        let (regions, mapping) = (self.regions.clone(), Arc::downgrade(mapping));
        let device = Device { regions, mapping: mapping.clone(), unmaps_by_page };
        let all = 0..self.state.nr_pages();
        let id = self.state.register_listener(all, &ListenerOptions::default(), device)?;
        handlers.push(Handler { mapping, id });
        Ok(())
    }

    /// Removes a device, and unmaps for it what is shared. If the device fails, it stays, and so
    /// do its mappings.
    pub fn remove_handler(&self, mapping: &Arc<dyn DmaMapping>) -> Result<(), Error> {
        let mut handlers = self.handlers();
        if let Some(at) = handlers.iter().position(|handler| is(&handler.mapping, mapping)) {
            self.state.unregister_listener(handlers[at].id)?;
            handlers.swap_remove(at);
        }
        Ok(())
    }

    /// Returns true if a device follows the conversions. Then the memory behind a page that went
    /// private can be freed: no device has a mapping of it.
    pub fn reclaims_shared_mapping(&self) -> bool {
        self.handlers().iter().any(|handler| handler.mapping.strong_count() > 0)
    }

    fn forget_dropped(&self, handlers: &mut Vec<Handler>) {
        handlers.retain(|handler| {
            handler.mapping.strong_count() > 0
                || self.state.unregister_listener(handler.id).is_err()
        });
    }
}

fn is(weak: &Weak<dyn DmaMapping>, mapping: &Arc<dyn DmaMapping>) -> bool {
    // the addresses without the tables of methods, which may differ for one type
    std::ptr::eq(weak.as_ptr().cast::<()>(), Arc::as_ptr(mapping).cast::<()>())
}
