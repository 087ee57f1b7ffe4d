// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The example `tracker`: what cloud-hypervisor's tracker of shared pages does, as tests, and what
//! is different here.
//!
//! Its behaviours were read in `vmm/src/sev_snp_tracker.rs` at 0440d6f8a851, and are written anew:
//! no test of that file is copied. "There" means that file. The differences are
//!  - a conversion fails as a whole; there the pages before the failing one stay converted;
//!  - a failed unmap stops nothing but its own conversion, and a failed undo quarantines the range;
//!    there each of the two makes every later conversion fail;
//!  - a device that fails to unmap when it is removed stays; there it is gone, with its mappings;
//!  - addresses that are not whole pages are refused; there they are rounded to whole pages.
#![allow(clippy::single_range_in_vec_init)] // a tracker has a list of regions

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use gmemstate::Shareability::{self, Private};
use gmemstate::{Backend, Errno, ErrorKind};

#[path = "../examples/tracker/tracker.rs"]
mod tracker;
use tracker::{DmaMapping, Tracker, PAGE_SIZE};

struct NoKvm;
impl Backend for NoKvm {}

/// An IOMMU: no page is mapped twice, and what is unmapped is mapped. It fails as told.
#[derive(Default)]
struct Iommu {
    mapped: Mutex<BTreeSet<u64>>,
    calls: Mutex<Vec<(&'static str, u64, u64)>>,
    fails_to_map: Mutex<Option<u64>>,
    fails_to_unmap: AtomicBool,
}

impl Iommu {
    fn mapped(&self) -> Vec<u64> {
        self.mapped.lock().unwrap().iter().copied().collect()
    }

    fn take(&self) -> Vec<(&'static str, u64, u64)> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn fail_to_map(&self, page: Option<u64>) {
        *self.fails_to_map.lock().unwrap() = page;
    }

    fn fail_to_unmap(&self, fails: bool) {
        self.fails_to_unmap.store(fails, SeqCst);
    }
}

fn broken() -> io::Result<()> {
    Err(io::Error::from_raw_os_error(Errno::EBUSY.get()))
}

impl DmaMapping for Iommu {
    fn map(&self, iova: u64, gpa: u64, size: u64) -> io::Result<()> {
        assert_eq!((iova, size), (gpa, PAGE_SIZE));
        let page = gpa / PAGE_SIZE;
        if *self.fails_to_map.lock().unwrap() == Some(page) {
            return broken();
        }
        assert!(self.mapped.lock().unwrap().insert(page), "{:#x} is mapped twice", page);
        self.calls.lock().unwrap().push(("map", page, 1));
        Ok(())
    }

    fn unmap(&self, iova: u64, size: u64) -> io::Result<()> {
        if self.fails_to_unmap.load(SeqCst) {
            return broken();
        }
        let (page, count) = (iova / PAGE_SIZE, size / PAGE_SIZE);
        let mut mapped = self.mapped.lock().unwrap();
        assert!((page..page + count).all(|page| mapped.remove(&page)), "is not mapped");
        self.calls.lock().unwrap().push(("unmap", page, count));
        Ok(())
    }
}

/// Makes a tracker of regions, given in pages.
fn tracker(regions: &[Range<u64>]) -> Tracker {
    let bytes =
        |pages: &Range<u64>| (pages.start * PAGE_SIZE, (pages.end - pages.start) * PAGE_SIZE);
    Tracker::new(&regions.iter().map(bytes).collect::<Vec<_>>(), NoKvm).unwrap()
}

fn mapping(iommu: &Arc<Iommu>) -> Arc<dyn DmaMapping> {
    iommu.clone()
}

fn add(tracker: &Tracker) -> Arc<Iommu> {
    let iommu = Arc::new(Iommu::default());
    tracker.add_handler(&mapping(&iommu), false).unwrap();
    iommu
}

fn convert(tracker: &Tracker, pages: Range<u64>, shared: bool) -> Result<(), ErrorKind> {
    let size = (pages.end - pages.start) * PAGE_SIZE;
    tracker.handle_conversion(pages.start * PAGE_SIZE, size, shared).map_err(|err| err.kind())
}

fn share(tracker: &Tracker, pages: Range<u64>) {
    convert(tracker, pages, true).unwrap();
}

#[test]
fn pages_are_mapped_one_by_one_and_once() {
    let tracker = tracker(&[0..8]);
    let iommu = add(&tracker);
    share(&tracker, 2..5);
    assert_eq!(iommu.take(), [("map", 2, 1), ("map", 3, 1), ("map", 4, 1)]);
    share(&tracker, 2..6);
    assert_eq!(iommu.take(), [("map", 5, 1)]);
}

#[test]
fn neighbours_are_unmapped_at_once_and_holes_stay() {
    let tracker = tracker(&[0..8]);
    let iommu = add(&tracker);
    share(&tracker, 0..3);
    share(&tracker, 5..7);
    iommu.take();
    convert(&tracker, 0..8, false).unwrap();
    assert_eq!(iommu.take(), [("unmap", 0, 3), ("unmap", 5, 2)]);
    convert(&tracker, 0..8, false).unwrap();
    assert!(iommu.take().is_empty());
}

#[test]
fn a_device_that_unmaps_by_page() {
    let tracker = tracker(&[0..8]);
    let iommu = Arc::new(Iommu::default());
    tracker.add_handler(&mapping(&iommu), true).unwrap();
    share(&tracker, 0..3);
    iommu.take();
    convert(&tracker, 0..2, false).unwrap();
    tracker.remove_handler(&mapping(&iommu)).unwrap();
    assert_eq!(iommu.take(), [("unmap", 0, 1), ("unmap", 1, 1), ("unmap", 2, 1)]);
}

#[test]
fn a_late_device_is_told_what_is_shared() {
    let tracker = tracker(&[0..4, 16..20]);
    add(&tracker);
    share(&tracker, 1..18);
    assert_eq!(add(&tracker).mapped(), [1, 2, 3, 16, 17]);
}

#[test]
fn a_late_device_that_fails_is_not_added() {
    let tracker = tracker(&[0..4, 16..20]);
    share(&tracker, 2..18);
    let iommu = Arc::new(Iommu::default());
    iommu.fail_to_map(Some(17)); // in the second region: the undo reaches into the first one
    assert!(tracker.add_handler(&mapping(&iommu), false).is_err());
    assert!(iommu.mapped().is_empty());
    assert!(!tracker.reclaims_shared_mapping());
    let late = add(&tracker);
    assert_eq!(late.mapped(), [2, 3, 16, 17]);
    assert!(tracker.reclaims_shared_mapping());
}

/// There the tracker is poisoned. Here the memory is quarantined, because the device is not
/// registered and nobody could unmap later what it has kept; the repair ends that.
#[test]
fn a_late_device_that_fails_twice() {
    let tracker = tracker(&[0..4]);
    share(&tracker, 0..2);
    let iommu = Arc::new(Iommu::default());
    iommu.fail_to_map(Some(1));
    iommu.fail_to_unmap(true);
    assert!(tracker.add_handler(&mapping(&iommu), false).is_err());
    assert_eq!(convert(&tracker, 0..1, false), Err(ErrorKind::Quarantined));
    tracker.repair(0, 4 * PAGE_SIZE, false).unwrap();
    share(&tracker, 0..1);
}

#[test]
fn what_is_outside_of_all_regions_is_ignored() {
    let tracker = tracker(&[4..8]);
    let iommu = add(&tracker);
    share(&tracker, 100..104);
    assert!(iommu.mapped().is_empty());
    share(&tracker, 0..5);
    share(&tracker, 7..100);
    assert_eq!(iommu.mapped(), [4, 7]);
}

#[test]
fn addresses_are_whole_pages() {
    let tracker = tracker(&[0..8]);
    for (gpa, size) in [(1, PAGE_SIZE), (0, 1), (0, 0), (u64::MAX - 4095, PAGE_SIZE)] {
        let err = tracker.handle_conversion(gpa, size, true).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Invalid);
    }
    assert!(tracker.state().range_is(0..8, Private));
}

#[test]
fn all_devices_map_and_unmap() {
    let tracker = tracker(&[0..4]);
    let (first, second) = (add(&tracker), add(&tracker));
    share(&tracker, 0..2);
    assert_eq!((first.mapped(), second.mapped()), (vec![0, 1], vec![0, 1]));
    convert(&tracker, 0..2, false).unwrap();
    assert!(first.mapped().is_empty() && second.mapped().is_empty());
}

/// There page 0 stays shared and mapped, and the guest learns only that the call failed.
#[test]
fn a_device_that_fails_to_map_undoes_all_of_the_conversion() {
    let tracker = tracker(&[0..4, 16..20]);
    let (first, second) = (add(&tracker), add(&tracker));
    second.fail_to_map(Some(17));
    assert_eq!(convert(&tracker, 0..20, true), Err(ErrorKind::Refused));
    assert!(first.mapped().is_empty() && second.mapped().is_empty());
    assert!(tracker.state().range_is(0..8, Private));
    second.fail_to_map(None);
    share(&tracker, 0..20);
    assert_eq!(first.mapped(), second.mapped());
}

/// There this stops every conversion from now on.
#[test]
fn one_failed_unmap_stops_one_conversion() {
    let tracker = tracker(&[0..64]);
    let (first, second) = (add(&tracker), add(&tracker));
    share(&tracker, 0..40);
    second.fail_to_unmap(true);
    assert_eq!(convert(&tracker, 0..2, false), Err(ErrorKind::Refused));
    // the first device has its pages back, so both agree with the state: nothing is quarantined
    assert_eq!((first.mapped().len(), second.mapped().len()), (40, 40));
    assert_eq!(tracker.state().stats().quarantined_pages, 0);
    // other conversions go on while the device is broken
    share(&tracker, 50..52);
    // and so does this one once it works again
    second.fail_to_unmap(false);
    convert(&tracker, 0..2, false).unwrap();
    assert_eq!((first.mapped().len(), second.mapped().len()), (40, 40));
}

/// There, too, this stops every conversion. Here the range is quarantined, and only it.
#[test]
fn a_failed_undo_quarantines_its_range() {
    let tracker = tracker(&[0..64]);
    let (first, second) = (add(&tracker), add(&tracker));
    share(&tracker, 0..40);
    second.fail_to_unmap(true);
    first.fail_to_map(Some(1)); // it cannot get page 1 back
    assert_eq!(convert(&tracker, 0..2, false), Err(ErrorKind::Refused));
    assert_eq!(tracker.state().stats().quarantined_pages, 2);
    assert_eq!(convert(&tracker, 0..2, false), Err(ErrorKind::Quarantined));
    assert_eq!(convert(&tracker, 1..9, false), Err(ErrorKind::Quarantined));
    // the second device may still have pages 0 and 1; no page that it may have is private
    assert!(tracker.state().range_is(0..2, Shareability::Shared));
    share(&tracker, 50..52);
    assert!(first.mapped().contains(&50) && second.mapped().contains(&50));
    // a repair does not go past a device that still refuses
    assert!(tracker.repair(0, 2 * PAGE_SIZE, false).is_err());
    second.fail_to_unmap(false);
    tracker.repair(0, 2 * PAGE_SIZE, false).unwrap();
    assert!(!first.mapped().contains(&0) && !second.mapped().contains(&0));
    first.fail_to_map(None);
    share(&tracker, 0..2);
    assert_eq!(first.mapped(), second.mapped());
}

#[test]
fn a_device_that_is_removed_holds_nothing() {
    let tracker = tracker(&[0..8]);
    let (kept, removed) = (add(&tracker), add(&tracker));
    share(&tracker, 0..2);
    share(&tracker, 4..5);
    tracker.remove_handler(&mapping(&removed)).unwrap();
    tracker.remove_handler(&mapping(&removed)).unwrap(); // is not there any more
    share(&tracker, 6..7);
    assert!(removed.mapped().is_empty());
    assert_eq!(kept.mapped(), [0, 1, 4, 6]);
}

/// There the tracker is poisoned, and the device is gone from its list.
#[test]
fn a_device_that_fails_when_it_is_removed_stays() {
    let tracker = tracker(&[0..8]);
    let iommu = add(&tracker);
    share(&tracker, 0..2);
    iommu.fail_to_unmap(true);
    assert!(tracker.remove_handler(&mapping(&iommu)).is_err());
    share(&tracker, 4..5);
    assert_eq!(iommu.mapped(), [0, 1, 4]);
    iommu.fail_to_unmap(false);
    tracker.remove_handler(&mapping(&iommu)).unwrap();
    assert!(iommu.mapped().is_empty());
}

#[test]
fn a_device_that_was_dropped_is_left_out() {
    let tracker = tracker(&[0..8]);
    let (kept, dropped) = (add(&tracker), add(&tracker));
    assert_eq!(Arc::strong_count(&dropped), 1, "the tracker does not own it");
    drop(dropped);
    share(&tracker, 0..1);
    assert_eq!(kept.mapped(), [0]);
    assert_eq!(tracker.state().stats().listeners, 2);
    add(&tracker);
    assert_eq!(tracker.state().stats().listeners, 2, "its listener is gone");
    drop(kept);
}
