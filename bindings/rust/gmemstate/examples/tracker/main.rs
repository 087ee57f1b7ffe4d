// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A guest with two regions and two devices. A device fails to unmap: first alone, then together
//! with the undo of the other one. Run it by `cargo run --example tracker`.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use gmemstate::{Backend, Errno, Error, Shareability, StateRef};

mod tracker;
use tracker::{DmaMapping, Tracker, PAGE_SIZE};

/// Stands for KVM_SET_MEMORY_ATTRIBUTES.
struct Kvm;

impl Backend for Kvm {
    fn apply(
        &self,
        _: &StateRef,
        pages: Range<u64>,
        to: Shareability,
        _: &mut u64,
    ) -> Result<(), Errno> {
        println!("    kvm:   pages {:#x} to {:#x} are {:?}", pages.start, pages.end, to);
        Ok(())
    }
}

/// A device that fails once for each call that is planned to fail.
struct Device {
    name: &'static str,
    planned: Mutex<Vec<&'static str>>,
}

impl Device {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, planned: Mutex::new(Vec::new()) })
    }

    fn fail_next(&self, what: &'static str) {
        self.planned.lock().unwrap().push(what);
    }

    fn call(&self, what: &str, iova: u64, size: u64) -> io::Result<()> {
        let mut planned = self.planned.lock().unwrap();
        let fails = planned.iter().position(|&one| one == what).map(|at| planned.remove(at));
        let result = if fails.is_some() { ": fails" } else { "" };
        println!("    {}: {} {:#x}, {} pages{}", self.name, what, iova, size / PAGE_SIZE, result);
        match fails {
            Some(_) => Err(io::Error::from_raw_os_error(Errno::EBUSY.get())),
            None => Ok(()),
        }
    }
}

impl DmaMapping for Device {
    fn map(&self, iova: u64, _: u64, size: u64) -> io::Result<()> {
        self.call("maps", iova, size)
    }

    fn unmap(&self, iova: u64, size: u64) -> io::Result<()> {
        self.call("unmaps", iova, size)
    }
}

fn convert(tracker: &Tracker, first: u64, pages: u64, shared: bool) {
    let to = if shared { "shared" } else { "private" };
    println!("  {} pages at gfn {:#x} to {}", pages, first, to);
    match tracker.handle_conversion(first * PAGE_SIZE, pages * PAGE_SIZE, shared) {
        Ok(()) => {}
        Err(err) => println!("    refused: {}", err),
    }
}

fn main() -> Result<(), Error> {
    let regions = [(0, 16 * PAGE_SIZE), (64 * PAGE_SIZE, 16 * PAGE_SIZE)];
    let tracker = Tracker::new(&regions, Kvm)?;
    let (nic, disk) = (Device::new("nic"), Device::new("disk"));
    for device in [&nic, &disk] {
        tracker.add_handler(&(Arc::clone(device) as Arc<dyn DmaMapping>), false)?;
    }
    println!("Pages of two regions become shared, those between the regions are ignored");
    convert(&tracker, 0xe, 0x34, true);
    println!("The disk fails to unmap: the nic gets its pages back, and nothing has changed");
    disk.fail_next("unmaps");
    convert(&tracker, 0x40, 2, false);
    println!("The disk works again: the same conversion succeeds");
    convert(&tracker, 0x40, 2, false);
    println!("The disk fails to unmap, and the nic to map again: these pages are quarantined");
    disk.fail_next("unmaps");
    nic.fail_next("maps");
    convert(&tracker, 0xe, 1, false);
    convert(&tracker, 0xe, 1, false);
    println!("All other conversions go on");
    convert(&tracker, 0xf, 1, false);
    println!("The VMM lifts the quarantine");
    tracker.repair(0xe * PAGE_SIZE, PAGE_SIZE, false)?;
    convert(&tracker, 0xe, 1, true);
    println!("The disk is removed");
    tracker.remove_handler(&(disk as Arc<dyn DmaMapping>))?;
    let shared = tracker.state().count(0..32, Shareability::Shared);
    println!("{} page is shared; reclaims: {}", shared, tracker.reclaims_shared_mapping());
    Ok(())
}
