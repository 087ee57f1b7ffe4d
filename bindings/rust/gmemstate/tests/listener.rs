// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Listeners: what they hold, refusals, panics, ownership, calls from inside.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};

use gmemstate::Shareability::{Private, Shared};
use gmemstate::{
    Accessor, Batch, Errno, ErrorKind, Listener, ListenerOptions, Run, State, StateRef,
};

const G1: u64 = 512 * 512;

/// A device: the set of pages that it has mapped.
#[derive(Default)]
struct Device {
    mapped: Mutex<BTreeSet<u64>>,
    refuses: Mutex<Option<u64>>, // a page that it neither maps nor unmaps
    panics: AtomicBool,          // instead of refusing
    pins: AtomicBool,
    calls: AtomicUsize,
}

impl Device {
    fn mapped(&self) -> Vec<u64> {
        self.mapped.lock().unwrap().iter().copied().collect()
    }

    fn refuse(&self, page: Option<u64>) {
        *self.refuses.lock().unwrap() = page;
    }
}

impl Listener for Device {
    fn change(&self, state: &StateRef, run: Run) -> Result<(), Errno> {
        self.calls.fetch_add(1, SeqCst);
        let refused = *self.refuses.lock().unwrap();
        if refused.map_or(false, |page| run.pages.contains(&page)) {
            assert!(!self.panics.load(SeqCst), "planned");
            return Err(Errno::EBUSY);
        }
        let mut mapped = self.mapped.lock().unwrap();
        match run.shareability {
            Shared => {
                if self.pins.load(SeqCst) {
                    state.pin(run.pages.clone())?;
                }
                run.pages.for_each(|page| assert!(mapped.insert(page), "mapped twice"));
            }
            Private => {
                if self.pins.load(SeqCst) {
                    state.unpin(run.pages.clone());
                }
                run.pages.for_each(|page| assert!(mapped.remove(&page), "was not mapped"));
            }
        }
        Ok(())
    }
}

fn private() -> State {
    State::builder(G1).private().build().unwrap()
}

fn options() -> ListenerOptions {
    ListenerOptions::default()
}

#[test]
fn a_listener_holds_what_is_shared() {
    let (state, device) = (private(), Arc::new(Device::default()));
    state.convert(2..5, Shared).unwrap();
    let id = state.register_listener(0..G1, &options(), device.clone()).unwrap();
    assert_eq!(device.mapped(), [2, 3, 4]);
    state.convert(4..7, Shared).unwrap();
    state.convert(0..3, Private).unwrap();
    assert_eq!(device.mapped(), [3, 4, 5, 6]);
    assert_eq!(state.stats().listeners, 1);
    state.unregister_listener(id).unwrap();
    assert!(device.mapped().is_empty());
    assert_eq!(Arc::strong_count(&device), 1, "the object owns it no more");
    let err = state.unregister_listener(id).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Invalid);
}

#[test]
fn the_end_of_the_object_withdraws_everything_and_drops_the_listeners() {
    let (state, device) = (private(), Arc::new(Device::default()));
    state.convert(0..100, Shared).unwrap();
    state.register_listener(0..G1, &options(), device.clone()).unwrap();
    state.register_listener(0..8, &options(), Arc::new(Device::default())).unwrap();
    drop(state);
    assert!(device.mapped().is_empty());
    assert_eq!(Arc::strong_count(&device), 1);
}

#[test]
fn granules_and_long_runs() {
    let state = private();
    let runs = Arc::new(Mutex::new(Vec::new()));
    let log = runs.clone();
    let options = ListenerOptions { granule: 4, can_split: true, ..options() };
    let closure = move |_: &StateRef, run: Run| {
        log.lock().unwrap().push(run);
        Ok(())
    };
    state.register_listener(0..64, &options, closure).unwrap();
    state.convert(2..33, Shared).unwrap();
    let run = |pages, shareability| Run { pages, shareability };
    assert_eq!(std::mem::take(&mut *runs.lock().unwrap()), [run(4..32, Shared)]);
    state.convert(9..10, Private).unwrap();
    assert_eq!(*runs.lock().unwrap(), [run(8..12, Private)]);
    for granule in [0, 3, 1 << 19] {
        let options = ListenerOptions { granule, ..options };
        let refused = state.register_listener(0..64, &options, |_: &StateRef, _: Run| Ok(()));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn a_listener_that_refuses_or_panics_stops_the_conversion() {
    for panics in [false, true] {
        let (state, first, second) =
            (private(), Arc::new(Device::default()), Arc::new(Device::default()));
        state.register_listener(0..G1, &options(), first.clone()).unwrap();
        state.register_listener(0..G1, &options(), second.clone()).unwrap();
        second.panics.store(panics, SeqCst);
        second.refuse(Some(70));
        let errno = if panics { Errno::EIO } else { Errno::EBUSY };
        let err = state.convert(0..100, Shared).unwrap_err();
        assert_eq!((err.kind(), err.errno()), (ErrorKind::Refused, errno));
        assert_eq!(err.reason(), Some("a listener refused"));
        assert_eq!(err.to_string(), format!("a listener refused: {}", errno));
        assert!(first.mapped().is_empty() && second.mapped().is_empty());
        assert!(state.range_is(0..G1, Private));
        second.refuse(None);
        state.convert(0..100, Shared).unwrap();
        second.refuse(Some(70));
        assert_eq!(state.convert(60..80, Private).unwrap_err().errno(), errno);
        assert_eq!((first.mapped().len(), second.mapped().len()), (100, 100), "restored");
        assert_eq!(state.stats().quarantined_pages, 0);
        second.refuse(None);
        state.convert(60..80, Private).unwrap();
        state.verify().unwrap();
    }
}

#[test]
fn a_listener_that_refuses_to_register_or_to_go() {
    let (state, device) = (private(), Arc::new(Device::default()));
    state.convert(0..10, Shared).unwrap();
    device.refuse(Some(7));
    let err = state.register_listener(0..G1, &options(), device.clone()).unwrap_err();
    assert_eq!(err.errno(), Errno::EBUSY);
    assert!(device.mapped().is_empty());
    assert_eq!(Arc::strong_count(&device), 1, "a listener that is not registered is dropped");
    device.refuse(None);
    let id = state.register_listener(0..G1, &options(), device.clone()).unwrap();
    device.refuse(Some(7));
    assert_eq!(state.unregister_listener(id).unwrap_err().errno(), Errno::EBUSY);
    assert_eq!(device.mapped().len(), 10);
    device.refuse(None);
    state.convert(20..21, Shared).unwrap();
    assert_eq!(device.mapped().len(), 11, "still registered");
    state.unregister_listener(id).unwrap();
}

#[test]
fn a_listener_of_another_object_is_unknown() {
    let (one, other, device) = (private(), private(), Arc::new(Device::default()));
    let id = one.register_listener(0..G1, &options(), device.clone()).unwrap();
    let kept = other.register_listener(0..G1, &options(), Arc::new(Device::default())).unwrap();
    assert_eq!(other.unregister_listener(id).unwrap_err().kind(), ErrorKind::Invalid);
    assert_ne!(id, kept);
    one.convert(0..1, Shared).unwrap();
    assert_eq!(device.mapped(), [0]);
}

#[test]
fn a_listener_pins_what_it_maps_as_vfio_does() {
    let (state, device) = (private(), Arc::new(Device::default()));
    device.pins.store(true, SeqCst);
    state.register_listener(0..G1, &options(), device.clone()).unwrap();
    state.convert(0..100, Shared).unwrap();
    assert_eq!(state.first_pin(0..G1), Some(0));
    state.convert(0..50, Private).unwrap(); // its own pins do not refuse
    let foreign = state.pinned(60..61).unwrap();
    let err = state.convert(50..100, Private).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(60)));
    assert_eq!(device.mapped().len(), 50);
    drop(foreign);
    state.convert(50..100, Private).unwrap();
    assert_eq!(state.first_pin(0..G1), None);
    assert_eq!(state.stats().surplus_unpins, 0);
}

/// A listener may hold its object weakly, and call it back. What would wait for its own thread is
/// an error; a fault is allowed.
#[test]
fn calls_from_inside_a_listener() {
    let state = Arc::new(private());
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let (weak, log): (Weak<State>, _) = (Arc::downgrade(&state), kinds.clone());
    let listener = move |inside: &StateRef, run: Run| {
        let mut log = log.lock().unwrap();
        log.push(inside.convert(run.pages.clone(), Private).unwrap_err().kind());
        log.push(inside.freeze().unwrap_err().kind());
        if let Some(state) = weak.upgrade() {
            let nested = |_: &StateRef, _: Run| Ok(());
            let nested = state.register_listener(0..1, &ListenerOptions::default(), nested);
            log.push(nested.unwrap_err().kind());
        }
        if run.shareability == Shared {
            drop(inside.fault(run.pages.start, Accessor::Host)?);
        }
        Ok(())
    };
    let id = state.register_listener(0..G1, &options(), listener).unwrap();
    state.convert(0..1, Shared).unwrap();
    assert_eq!(*kinds.lock().unwrap(), [ErrorKind::Deadlock; 3]);
    state.unregister_listener(id).unwrap();
    assert_eq!(*kinds.lock().unwrap(), [ErrorKind::Deadlock; 6]);
    drop(Arc::try_unwrap(state).unwrap());
}

/// A listener that takes a whole batch, counts a part of it as done, and then fails: the library
/// undoes that part, and no more.
#[test]
fn batches() {
    struct Batches(Arc<Mutex<Vec<(usize, bool)>>>);

    impl Listener for Batches {
        fn change(&self, _: &StateRef, _: Run) -> Result<(), Errno> {
            unreachable!("change_batch() does not call it")
        }

        fn change_batch(&self, _: &StateRef, b: Batch<'_>, done: &mut usize) -> Result<(), Errno> {
            let (count, to) = (b.iter().count(), b.to());
            assert!(b.iter().all(|run| run.shareability == to));
            self.0.lock().unwrap().push((count, to == Shared));
            if to == Shared && count == 32 {
                *done = usize::MAX; // no more than all of them
                return Err(Errno::EBUSY);
            }
            *done = 1;
            if to == Shared {
                return Err(Errno::EBUSY);
            }
            Ok(())
        }
    }

    let state = private();
    let seen = Arc::new(Mutex::new(Vec::new()));
    state.register_listener(0..G1, &options(), Batches(seen.clone())).unwrap();
    let take = || std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(state.convert(0..40, Shared).unwrap_err().errno(), Errno::EBUSY);
    assert_eq!(take(), [(32, true), (32, false)]);
    assert_eq!(state.convert(0..5, Shared).unwrap_err().errno(), Errno::EBUSY);
    assert_eq!(take(), [(5, true), (1, false)]);
    assert!(state.range_is(0..G1, Private));
}
