// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The calls of an object without hooks: values, kinds of errors, and the page of an error.

use std::error::Error as _;
use std::io;

use gmemstate::Shareability::{Private, Shared};
use gmemstate::{
    pages_of_bytes, version, Accessor, Errno, Error, ErrorKind, Order, Policy, Run, State, Summary,
};

const M2: u64 = 512;
const G1: u64 = 512 * 512;

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn private(nr_pages: u64) -> State {
    State::builder(nr_pages).private().build().unwrap()
}

#[test]
fn objects_are_send_and_sync_and_guards_of_threads_are_not() {
    fn is_send_and_sync<T: Send + Sync>() {}

    is_send_and_sync::<State>();
    is_send_and_sync::<gmemstate::StateRef>();
    is_send_and_sync::<gmemstate::Pinned<'_>>();
    is_send_and_sync::<gmemstate::Runs<'_>>();
    is_send_and_sync::<Error>();
}

#[test]
fn a_new_object_is_what_its_options_say() {
    let state = State::builder(G1 + 3).folio_order(Order::Size2M).build().unwrap();
    assert_eq!(state.nr_pages(), G1 + 3);
    assert!(state.range_is(0..G1 + 3, Shared));
    assert_eq!(state.summary(0, Order::Size1G), Summary::AllShared);
    assert_eq!(state.folio_order(0), Order::Size2M);
    assert_eq!(state.folio_order(G1), Order::Size4K);
    assert!(state.is_private(G1 + 3), "past the end");
    assert_eq!(kind(State::builder(0).build()), ErrorKind::Invalid);
    assert_eq!(kind(State::builder(1 << 41).build()), ErrorKind::Invalid);
    assert_eq!(version().0, 0);
}

#[test]
fn conversions_and_queries() {
    let state = private(2 * G1);
    state.convert(M2..M2 + 10, Shared).unwrap();
    assert_eq!(state.count(0..2 * G1, Shared), 10);
    assert_eq!(state.summary(M2, Order::Size2M), Summary::Mixed);
    assert_eq!(state.summary(0, Order::Size2M), Summary::AllPrivate);
    assert_eq!(state.max_order(0), Order::Size2M);
    assert_eq!(state.max_order(M2), Order::Size4K);
    assert_eq!(state.max_order(G1), Order::Size1G);
    let runs: Vec<Run> = state.runs(M2 - 1..M2 + 12).collect();
    let run = |pages, shareability| Run { pages, shareability };
    assert_eq!(
        runs,
        [run(M2 - 1..M2, Private), run(M2..M2 + 10, Shared), run(M2 + 10..M2 + 12, Private)]
    );
    assert_eq!(state.runs(5..5).next(), None);
    state.convert_resumable(0..2 * G1, Shared).unwrap();
    assert_eq!(state.runs(0..u64::MAX).count(), 1);
    let stats = state.stats();
    assert_eq!((stats.conversions, stats.pages_converted), (2, 2 * G1));
    state.verify().unwrap();
}

#[test]
#[allow(clippy::reversed_empty_ranges)]
fn bad_ranges_are_refused() {
    let state = private(G1);
    for pages in [0..0, 5..4, G1..G1 + 1, 0..G1 + 1, u64::MAX - 1..u64::MAX, 0..u64::MAX] {
        assert_eq!(kind(state.convert(pages.clone(), Shared)), ErrorKind::Invalid, "{:?}", pages);
        assert_eq!(kind(state.pin(pages.clone())), ErrorKind::Invalid);
        assert_eq!(kind(state.lock_shared(pages.clone())), ErrorKind::Invalid);
        state.unpin(pages); // has no effect
    }
    assert_eq!(kind(state.fault(G1, Accessor::Guest)), ErrorKind::Invalid);
    assert_eq!(pages_of_bytes(4096..12288), Ok(1..3));
    for bytes in [0..0, 1..4096, 0..4097, 8192..4096, u64::MAX - 4095..u64::MAX] {
        assert_eq!(kind(pages_of_bytes(bytes)), ErrorKind::Invalid);
    }
}

#[test]
fn an_error_names_the_page() {
    let state = private(G1);
    state.convert(10..30, Shared).unwrap();
    let pin = state.pinned(17..19).unwrap();
    assert_eq!(state.first_pin(0..G1), Some(17));
    let err = state.convert(0..G1, Private).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(17)));
    assert!(err.is_transient());
    assert_eq!(err.to_string(), "a page is pinned or in use (at 0x11)");
    assert!(err.source().is_none());
    assert_eq!(io::Error::from(err).raw_os_error(), Some(Errno::EAGAIN.get()));
    let err = state.punch_hole(18..19).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(18)));
    let err = state.pin(28..32).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Private, Some(30)));
    assert_eq!(state.attr_create().map(|_| ()), Ok(()));
    drop(pin);
    state.convert(0..G1, Private).unwrap();
}

#[test]
fn pins_that_outlive_their_scope() {
    let state = State::builder(G1).build().unwrap();
    let pages = state.pinned(0..4).unwrap().keep();
    assert_eq!(kind(state.convert(0..1, Private)), ErrorKind::Pinned);
    state.unpin(pages);
    state.convert(0..1, Private).unwrap();
    state.unpin(0..4);
    assert_eq!(state.stats().surplus_unpins, 4);
}

#[test]
fn faults() {
    let state = State::builder(G1).private().folio_order(Order::Size2M).build().unwrap();
    assert_eq!(kind(state.fault(3, Accessor::Host)), ErrorKind::Private);
    let mut fault = state.fault(M2 + 3, Accessor::Guest).unwrap();
    assert!(fault.is_fresh() && !fault.is_prepared());
    assert_eq!((fault.folio_index(), fault.folio_order()), (M2, Order::Size2M));
    assert_eq!((fault.index(), fault.block()), (M2 + 3, M2..2 * M2));
    assert!(!state.seq_retry(M2, fault.seq()));
    fault.prepare().unwrap();
    assert!(fault.is_prepared() && state.is_prepared(M2));
    // all of these would wait for this thread
    assert_eq!(kind(state.convert(0..1, Shared)), ErrorKind::Deadlock);
    assert_eq!(kind(state.fault(0, Accessor::Guest)), ErrorKind::Deadlock);
    assert_eq!(kind(state.save()), ErrorKind::Deadlock);
    assert_eq!(kind(state.freeze()), ErrorKind::Deadlock);
    assert!(state.verify().is_err());
    assert_eq!(state.maintain(1), 0);
    drop(fault);
    state.convert(M2..M2 + 1, Shared).unwrap();
    assert!(!state.is_prepared(M2));
    let mut fault = state.fault(M2, Accessor::Host).unwrap();
    assert_eq!(fault.max_order(), Order::Size4K);
    assert_eq!(kind(fault.prepare()), ErrorKind::Invalid);
    drop(fault);
    state.allocate(0..M2).unwrap();
    assert!(state.is_allocated(0));
    state.punch_hole(0..M2).unwrap();
    assert!(!state.is_allocated(0));
    state.verify().unwrap();
}

#[test]
fn a_shared_lock_keeps_conversions_away() {
    let state = private(G1);
    let lock = state.lock_shared(0..10).unwrap();
    assert_eq!(lock.pages(), 0..10);
    assert_eq!(kind(state.convert(0..1, Shared)), ErrorKind::Deadlock);
    assert!(state.is_private(0));
    drop(lock);
    let seq = state.seq_read(0);
    state.convert(0..1, Shared).unwrap();
    assert!(state.seq_retry(0, seq));
}

#[test]
fn attributes_and_inhibits() {
    let state = State::builder(G1).private().folio_order(Order::Size1G).build().unwrap();
    let order = || state.fault(0, Accessor::Guest).unwrap().max_order();
    assert_eq!(order(), Order::Size1G);
    let attr = state.attr_create().unwrap();
    state.attr_set(attr, M2..M2 + 1, true).unwrap();
    assert!(state.attr_test(attr, M2) && !state.attr_test(attr, 0));
    assert_eq!(order(), Order::Size2M);
    state.inhibit(0..1, Order::Size4K).unwrap();
    assert_eq!(order(), Order::Size4K);
    assert_eq!(kind(state.inhibit(0..1, Order::Size1G)), ErrorKind::Invalid);
    state.uninhibit(0..1).unwrap();
    state.attr_set(attr, 0..G1, false).unwrap();
    assert_eq!(order(), Order::Size1G);
    while state.attr_create().is_ok() {}
    assert_eq!(kind(state.attr_create()), ErrorKind::NoSpace);
}

#[test]
fn bindings() {
    let state = private(2 * G1);
    let low = state.bind(0, 0..G1).unwrap();
    state.bind(4 * G1 + 1, G1..2 * G1).unwrap();
    assert_eq!(kind(state.bind(5, 0..1)), ErrorKind::Exists);
    assert_eq!(state.gfn_to_index(4 * G1 + 2), Some(G1 + 1));
    assert_eq!(state.gfn_to_index(2 * G1), None);
    assert_eq!(state.gfn_max_order(0), Some(Order::Size1G));
    assert_eq!(state.gfn_max_order(4 * G1 + 1), Some(Order::Size4K), "gfn and index disagree");
    let fault = state.fault_gfn(4 * G1 + 8, Accessor::Guest).unwrap();
    assert_eq!(fault.index(), G1 + 7);
    drop(fault);
    assert_eq!(kind(state.fault_gfn(2 * G1, Accessor::Guest)), ErrorKind::NotBound);
    state.unbind(low).unwrap();
    assert_eq!(kind(state.unbind(low)), ErrorKind::Invalid);
    assert_eq!(state.gfn_to_index(0), None);
}

#[test]
fn snapshots() {
    let state = private(G1);
    state.convert(100..200, Shared).unwrap();
    let saved = state.save().unwrap();
    let copy = State::builder(G1).load(&saved).unwrap();
    assert_eq!(copy.save().unwrap(), saved);
    assert!(copy.range_is(100..200, Shared) && copy.is_private(99));
    assert_eq!(State::builder(0).load(&saved).unwrap().nr_pages(), G1);
    assert_eq!(kind(State::builder(G1 + 1).load(&saved)), ErrorKind::Invalid);
    for cut in 0..saved.len() {
        let short = State::builder(G1).load(&saved[..cut]);
        assert_eq!(kind(short), ErrorKind::Damaged, "{} bytes", cut);
    }
    for at in 0..saved.len() {
        let mut bad = saved.clone();
        bad[at] ^= 1;
        assert!(State::builder(G1).load(&bad).is_err(), "byte {}", at);
    }
}

#[test]
fn a_frozen_object_does_not_change() {
    let state = private(G1);
    state.freeze().unwrap();
    state.freeze().unwrap();
    assert_eq!(kind(state.convert(0..1, Shared)), ErrorKind::Frozen);
    assert_eq!(kind(state.bind(0, 0..1)), ErrorKind::Frozen);
    assert_eq!(kind(state.fault(0, Accessor::Guest)), ErrorKind::Frozen);
    assert!(!state.save().unwrap().is_empty());
    state.thaw().unwrap();
    state.convert(0..1, Shared).unwrap();
    assert_eq!(state.stats().refused_frozen, 3);
}

#[test]
fn policies_by_name() {
    for name in ["eager-rfc", "eager", "eager-nonuniform", "lazy-4k", "lazy", "adaptive"] {
        let policy = Policy::by_name(name).unwrap();
        assert_eq!(policy.name(), name);
        State::builder(G1).policy(policy).merge_waits(1, 2).clock(|| 5).build().unwrap();
    }
    assert_eq!(Policy::by_name("lazy"), Some(Policy::lazy()));
    assert_eq!(Policy::by_name("eager"), Some(Policy::eager()));
    assert_ne!(Policy::adaptive(), Policy::lazy());
    assert_eq!(Policy::by_name("none such"), None);
    assert_eq!(Policy::by_name("la\0zy"), None);
    assert_eq!(format!("{:?}", Policy::lazy()), "Policy(\"lazy\")");
}

#[test]
fn error_numbers() {
    assert_eq!(Errno::new(0), Errno::EIO);
    assert_eq!(Errno::new(-5), Errno::EIO);
    assert_eq!(Errno::new(i32::MIN), Errno::EIO);
    assert_eq!(Errno::new(28), Errno::ENOSPC);
    assert_eq!(Errno::from(io::Error::new(io::ErrorKind::Other, "no number")), Errno::EIO);
    assert_eq!(Errno::from(io::Error::from_raw_os_error(16)), Errno::EBUSY);
}

/// A guard that is leaked does no harm but to keep its lock.
#[test]
fn a_leaked_fault_only_blocks() {
    let state = private(G1);
    std::mem::forget(state.fault(0, Accessor::Guest).unwrap());
    assert_eq!(kind(state.convert(0..1, Shared)), ErrorKind::Deadlock);
    assert!(state.is_private(0));
}

#[test]
fn an_error_has_its_reason() {
    let state = private(M2);
    let err = state.convert(0..0, Shared).unwrap_err();
    assert_eq!(err.reason(), Some("the range is empty"));
    assert_eq!(err.to_string(), "the range is empty");
    assert_eq!(
        State::builder(0).build().unwrap_err().reason(),
        Some("nr_pages is 0, or above 2^40")
    );
    state.freeze().unwrap();
    assert!(state.is_frozen());
    let err = state.convert(0..1, Shared).unwrap_err();
    assert_eq!((err.kind(), err.reason()), (ErrorKind::Frozen, None));
    state.thaw().unwrap();
    assert!(!state.is_frozen());
    assert_eq!(state.quarantine_next(0..M2), None);
}

#[test]
fn gfns_of_several_bindings_convert_at_once() {
    let state = private(M2);
    state.bind(1000, 100..200).unwrap();
    state.bind(1100, 10..20).unwrap();
    state.convert_gfn(1090..1105, Shared).unwrap();
    assert!(state.range_is(190..200, Shared) && state.range_is(10..15, Shared));
    assert_eq!(state.count(0..M2, Shared), 15);
    let err = state.convert_gfn(1100..1111, Shared).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::NotBound, Some(1110)));
    state.pin(12..13).unwrap();
    let err = state.convert_gfn(1000..1110, Private).unwrap_err();
    assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(1102)));
    assert_eq!(state.count(0..M2, Shared), 15);
    state.unpin(12..13);
}
