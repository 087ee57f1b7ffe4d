// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The backend, the policy, the clock: order of calls, errors, panics, calls from inside.
#![deny(unsafe_op_in_unsafe_fn)]

use std::env;
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use gmemstate::Shareability::{self, Private, Shared};
use gmemstate::{
    Accessor, Backend, Decide, Errno, ErrorKind, Event, Events, Order, Policy, Prepared, State,
    StateRef, Verdict, View,
};

const M2: u64 = 512;
const G1: u64 = 512 * 512;

/// Which hook does what.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plan {
    Fail(&'static str, Errno),
    Panic(&'static str),
}

/// What the test sees of a backend.
#[derive(Default)]
struct Record {
    calls: Mutex<Vec<String>>,
    plan: Mutex<Vec<Plan>>,
    inside: Mutex<Vec<ErrorKind>>,
    dropped: AtomicUsize,
}

impl Record {
    fn plan(&self, plan: &[Plan]) {
        *self.plan.lock().unwrap() = plan.to_vec();
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn hook(&self, name: &'static str, what: String) -> Result<(), Errno> {
        self.calls.lock().unwrap().push(format!("{} {}", name, what));
        let plan = self.plan.lock().unwrap().clone();
        for step in plan {
            match step {
                Plan::Fail(hook, errno) if hook == name => return Err(errno),
                Plan::Panic(hook) if hook == name => panic!("planned: {}", name),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Records its calls, and fails as planned.
struct Recorder(Arc<Record>);

impl Drop for Recorder {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, SeqCst);
    }
}

impl Backend for Recorder {
    fn unmap_host(&self, _: &StateRef, pages: Range<u64>) -> Result<(), Errno> {
        self.0.hook("unmap_host", format!("{:?}", pages))
    }

    fn check_pins(&self, state: &StateRef, pages: Range<u64>) -> Result<Option<u64>, Errno> {
        self.0.hook("check_pins", format!("{:?}", pages))?;
        let found = pages.clone().find(|&page| page == 0x77 && !state.is_private(page));
        Ok(found)
    }

    fn invalidate_begin(&self, _: &StateRef, pages: Range<u64>) {
        self.0.hook("begin", format!("{:?}", pages)).unwrap();
    }

    fn zap_guest(&self, state: &StateRef, pages: Range<u64>, only: Shareability) {
        // whatever takes a lock returns Deadlock here, and does nothing
        let mut inside = self.0.inside.lock().unwrap();
        let start = pages.start;
        inside.extend(state.convert(pages.clone(), Shared).err().map(|err| err.kind()));
        inside.extend(state.fault(start, Accessor::Guest).err().map(|err| err.kind()));
        inside.extend(state.lock_shared(pages.clone()).err().map(|err| err.kind()));
        inside.extend(state.save().err().map(|err| err.kind()));
        state.unpin(pages.clone()); // allowed
        drop(inside);
        self.0.hook("zap", format!("{:?} {:?}", pages, only)).unwrap();
    }

    fn apply(
        &self,
        _: &StateRef,
        pages: Range<u64>,
        to: Shareability,
        failed: &mut u64,
    ) -> Result<(), Errno> {
        let result = self.0.hook("apply", format!("{:?} {:?}", pages, to));
        if result.is_err() {
            *failed = pages.start + 2;
        }
        result
    }

    fn undo(&self, _: &StateRef, pages: Range<u64>, to: Shareability) -> Result<(), Errno> {
        self.0.hook("undo", format!("{:?} {:?}", pages, to))
    }

    fn invalidate_end(&self, _: &StateRef, pages: Range<u64>) {
        self.0.hook("end", format!("{:?}", pages)).unwrap();
    }

    fn prepare(&self, _: &StateRef, index: u64, order: Order) -> Result<Prepared, Errno> {
        self.0.hook("prepare", format!("{} {:?}", index, order))?;
        Ok(if index == 0 { Prepared::InParts(Order::Size4K) } else { Prepared::Whole })
    }

    fn folio_alloc(&self, _: &StateRef, index: u64, order: Order) -> Result<(), Errno> {
        self.0.hook("alloc", format!("{} {:?}", index, order))
    }

    fn folio_free(&self, _: &StateRef, index: u64, order: Order) {
        self.0.hook("free", format!("{} {:?}", index, order)).unwrap();
    }

    fn folio_split(&self, _: &StateRef, index: u64, from: Order, to: Order) -> Result<(), Errno> {
        self.0.hook("split", format!("{} {:?} {:?}", index, from, to))
    }

    fn folio_merge(&self, _: &StateRef, index: u64, from: Order, to: Order) -> Result<(), Errno> {
        self.0.hook("merge", format!("{} {:?} {:?}", index, from, to))
    }

    fn block_freed(&self, _: &StateRef, index: u64) {
        self.0.hook("freed", index.to_string()).unwrap();
    }

    fn repair(&self, _: &StateRef, pages: Range<u64>, to: Shareability) -> Result<(), Errno> {
        self.0.hook("repair", format!("{:?} {:?}", pages, to))
    }
}

fn recorded(policy: Policy) -> (State, Arc<Record>) {
    let record = Arc::new(Record::default());
    let state = State::builder(2 * G1)
        .private()
        .folio_order(Order::Size2M)
        .policy(policy)
        .backend(Recorder(record.clone()))
        .build()
        .unwrap();
    (state, record)
}

#[test]
fn hooks_come_in_order_and_the_backend_is_dropped_with_the_object() {
    let (state, record) = recorded(Policy::lazy());
    state.convert(0..4, Shared).unwrap();
    let steps = ["begin 0..4", "zap 0..4 Private", "apply 0..4 Shared", "end 0..4"];
    assert_eq!(record.take(), steps);
    state.convert(0..2, Private).unwrap();
    let steps = [
        "unmap_host 0..2",
        "check_pins 0..2",
        "begin 0..2",
        "zap 0..2 Shared",
        "apply 0..2 Private",
        "end 0..2",
    ];
    assert_eq!(record.take(), steps);
    let mut fault = state.fault(0, Accessor::Guest).unwrap();
    fault.prepare().unwrap();
    assert_eq!(fault.max_order(), Order::Size4K, "prepared in parts");
    drop(fault);
    drop(state.fault(3, Accessor::Host).unwrap());
    assert_eq!(
        record.take(),
        ["alloc 0 Size2M", "prepare 0 Size4K", "check_pins 0..512", "split 0 Size2M Size4K"]
    );
    state.punch_hole(0..M2).unwrap();
    assert!(record.take().contains(&"freed 0".to_string()));
    state.allocate(G1..G1 + 1).unwrap();
    drop(state);
    let last = record.take();
    assert_eq!(last[last.len() - 2..], ["free 262144 Size2M", "freed 262144"]);
    assert_eq!(record.dropped.load(SeqCst), 1);
}

#[test]
fn a_call_from_inside_a_hook_is_an_error() {
    let (state, record) = recorded(Policy::lazy());
    state.convert(0..4, Shared).unwrap();
    assert_eq!(*record.inside.lock().unwrap(), [ErrorKind::Deadlock; 4]);
    assert_eq!(state.count(0..G1, Shared), 4);
    state.verify().unwrap();
}

#[test]
fn a_page_that_the_backend_finds_pinned_is_named() {
    let (state, _record) = recorded(Policy::lazy());
    state.convert(0..0x100, Shared).unwrap();
    let err = state.convert(0..0x100, Private).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(0x77)));
    assert_eq!(state.count(0..0x100, Shared), 0x100);
}

/// Every hook that can fail: the call returns its error, or EIO after a panic, and the state is
/// what it was.
#[test]
fn hooks_that_fail_or_panic_undo_the_call() {
    for hook in ["unmap_host", "check_pins", "split", "apply"] {
        for plan in [Plan::Fail(hook, Errno::EBUSY), Plan::Panic(hook)] {
            let (state, record) = recorded(Policy::eager());
            state.convert(M2..2 * M2, Shared).unwrap();
            state.convert(M2..M2 + 8, Private).unwrap();
            state.allocate(0..1).unwrap();
            let before = state.save().unwrap();
            let range = if hook == "split" { 0..4 } else { 2 * M2 - 8..2 * M2 };
            let to = if hook == "split" { Shared } else { Private };
            record.take();
            record.plan(&[plan]);
            let err = state.convert(range.clone(), to).unwrap_err();
            let (errno, undone) = match plan {
                Plan::Fail(_, errno) => (errno, range.start..range.start + 2),
                Plan::Panic(_) => (Errno::EIO, range.clone()),
            };
            assert_eq!((err.kind(), err.errno()), (ErrorKind::Refused, errno), "{:?}", plan);
            assert_eq!(err.page(), Some(range.start));
            if hook == "apply" {
                let undo = format!("undo {:?} Shared", undone);
                assert!(record.take().contains(&undo), "{:?}", plan);
            }
            assert!(state.save().unwrap() == before, "{:?}", plan);
            state.verify().unwrap();
            record.plan(&[]);
            state.convert(range, to).unwrap();
        }
    }
}

#[test]
fn faults_report_what_hooks_return() {
    for (hook, plan) in [
        ("alloc", Plan::Fail("alloc", Errno::ENOMEM)),
        ("alloc", Plan::Panic("alloc")),
        ("prepare", Plan::Fail("prepare", Errno::EBUSY)),
        ("prepare", Plan::Panic("prepare")),
    ] {
        let (state, record) = recorded(Policy::lazy());
        record.plan(&[plan]);
        let result = state.fault(M2, Accessor::Guest).and_then(|mut fault| fault.prepare());
        let errno = match plan {
            Plan::Fail(_, errno) => errno,
            Plan::Panic(_) => Errno::EIO,
        };
        assert_eq!(result.unwrap_err().errno(), errno, "{}", hook);
        record.plan(&[]);
        state.fault(M2, Accessor::Guest).unwrap().prepare().unwrap();
        state.verify().unwrap();
    }
}

#[test]
fn an_undo_that_panics_quarantines_the_range_and_nothing_else() {
    let (state, record) = recorded(Policy::lazy());
    record.plan(&[Plan::Fail("apply", Errno::EBUSY), Plan::Panic("undo")]);
    assert_eq!(state.convert(10..20, Shared).unwrap_err().errno(), Errno::EBUSY);
    record.plan(&[]);
    assert!(state.is_quarantined(10) && state.is_quarantined(19) && !state.is_quarantined(20));
    let err = state.convert(0..30, Shared).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Quarantined, Some(10)));
    state.convert(20..30, Shared).unwrap();
    assert_eq!(state.stats().quarantined_pages, 10);
    record.plan(&[Plan::Panic("repair")]);
    assert_eq!(state.repair(10..20, Private).unwrap_err().errno(), Errno::EIO);
    record.plan(&[]);
    state.repair(10..20, Private).unwrap();
    state.convert(0..30, Shared).unwrap();
    state.verify().unwrap();
}

/// A backend that maps for the host by itself: a map_host that panics quarantines.
#[test]
fn map_host() {
    struct Maps(Arc<AtomicUsize>);

    impl Backend for Maps {
        fn maps_host(&self) -> bool {
            true
        }

        fn pins_by_folio(&self) -> bool {
            true
        }

        fn map_host(&self, _: &StateRef, _: Range<u64>) -> Result<(), Errno> {
            assert_ne!(self.0.fetch_add(1, SeqCst), 0, "planned");
            Ok(())
        }

        fn check_pins(&self, _: &StateRef, pages: Range<u64>) -> Result<Option<u64>, Errno> {
            Ok(Some(pages.end + 100)) // a page outside of the range counts as the first page
        }
    }

    let calls = Arc::new(AtomicUsize::new(0));
    let state = State::builder(G1).backend(Maps(calls.clone())).build().unwrap();
    let err = state.convert(8..9, Private).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(8)));
    assert!(state.is_quarantined(8));
    let err = state.convert(9..10, Private).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(9)));
    assert!(!state.is_quarantined(9));
    assert_eq!(calls.load(SeqCst), 2);
}

/// Runs this test program again, for one ignored test that must end by SIGABRT.
fn aborts(test: &str) {
    use std::os::unix::process::ExitStatusExt;

    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(6), "{:?}", output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("planned: "));
}

#[test]
#[ignore = "ends the process"]
fn child_zap_panics() {
    let (state, record) = recorded(Policy::lazy());
    record.plan(&[Plan::Panic("zap")]);
    let _ = state.convert(0..1, Shared);
}

#[test]
#[ignore = "ends the process"]
fn child_free_panics() {
    let (state, record) = recorded(Policy::lazy());
    state.allocate(0..1).unwrap();
    record.plan(&[Plan::Panic("free")]);
    drop(state);
}

#[test]
fn a_panic_of_a_hook_that_cannot_fail_ends_the_process() {
    aborts("child_zap_panics");
    aborts("child_free_panics");
}

#[test]
fn an_own_policy_decides() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let state = State::builder(G1)
        .folio_order(Order::Size1G)
        .own_policy(move |view: &View, verdict: &mut Verdict| {
            log.lock().unwrap().push((view.event, view.index));
            if view.event == Event::Fault && view.accessor == Accessor::Host {
                verdict.order = Order::Size4K;
                verdict.uniform = false;
            }
        })
        .build()
        .unwrap();
    drop(state.fault(M2, Accessor::Guest).unwrap());
    assert_eq!(state.folio_order(M2), Order::Size1G);
    drop(state.fault(M2, Accessor::Host).unwrap());
    assert_eq!(state.folio_order(M2), Order::Size4K);
    assert_eq!(state.folio_order(0), Order::Size2M);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], (Event::Allocate, 0));
    assert!(seen.contains(&(Event::Fault, M2)));
}

#[test]
fn a_policy_that_panics_leaves_folios_as_they_are() {
    struct Panics;

    impl Decide for Panics {
        fn events(&self) -> Events {
            Events::HOST_FAULT | Events::CONVERT
        }

        fn decide(&self, _: &View, verdict: &mut Verdict) {
            verdict.order = Order::Size4K;
            panic!("planned");
        }
    }

    let state = State::builder(G1).folio_order(Order::Size2M).own_policy(Panics).build().unwrap();
    drop(state.fault(0, Accessor::Host).unwrap());
    state.convert(0..1, Private).unwrap();
    assert_eq!(state.folio_order(0), Order::Size2M);
    assert_eq!(Events::ALL | Events::FAULT, Events::ALL);
}

#[test]
fn a_clock_that_panics_does_no_harm() {
    let reads = Arc::new(AtomicUsize::new(0));
    let count = reads.clone();
    let state = State::builder(G1)
        .policy(Policy::adaptive())
        .folio_order(Order::Size2M)
        .clock(move || match count.fetch_add(1, SeqCst) % 2 {
            0 => 1000,
            _ => panic!("planned"),
        })
        .build()
        .unwrap();
    for index in 0..4 {
        state.convert(index..index + 1, Private).unwrap();
        drop(state.fault(M2, Accessor::Host).unwrap());
        state.maintain(10);
    }
    assert!(reads.load(SeqCst) > 2);
    state.verify().unwrap();
}

/// What a hook panics with may panic itself when it is dropped.
#[test]
fn a_payload_that_panics_is_stopped_too() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("planned: drop");
        }
    }

    struct Bombs;

    impl Backend for Bombs {
        fn apply(
            &self,
            _: &StateRef,
            _: Range<u64>,
            _: Shareability,
            _: &mut u64,
        ) -> Result<(), Errno> {
            std::panic::panic_any(Bomb)
        }
    }

    let state = State::builder(G1).backend(Bombs).build().unwrap();
    assert_eq!(state.convert(0..1, Private).unwrap_err().errno(), Errno::EIO);
    assert!(!state.is_private(0));
}

/// Hooks of C, such as those of the backend for KVM, and a context of the caller's.
#[test]
fn hooks_of_c() {
    use gmemstate::sys;
    use std::os::raw::{c_int, c_void};

    unsafe extern "C" fn unmap_host(ctx: *mut c_void, start: u64, nr_pages: u64) -> c_int {
        // SAFETY: the context is the counter below, which outlives the object
        let calls = unsafe { &*ctx.cast::<AtomicUsize>() };
        calls.fetch_add((start + nr_pages) as usize, SeqCst);
        0
    }

    let calls = AtomicUsize::new(0);
    let ops = sys::gms_backend_ops {
        struct_size: std::mem::size_of::<sys::gms_backend_ops>(),
        unmap_host: Some(unmap_host),
        // SAFETY: all zero is a struct without hooks
        ..unsafe { std::mem::zeroed() }
    };
    let ctx: *const AtomicUsize = &calls;
    // SAFETY: the hook neither unwinds nor calls back; ops and calls outlive the object
    let builder = unsafe { State::builder(G1).raw_backend(&ops, ctx as *mut c_void) };
    let state = builder.build().unwrap();
    state.convert(5..8, Private).unwrap();
    drop(state);
    assert_eq!(calls.load(SeqCst), 8);
}
