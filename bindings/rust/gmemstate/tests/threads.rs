// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Several threads convert, fault, pin, query, and register listeners at the same time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use gmemstate::Shareability::{Private, Shared};
use gmemstate::{Accessor, Errno, ErrorKind, ListenerOptions, Order, Run, State, StateRef};

const G1: u64 = 512 * 512;
const ROUNDS: u64 = 400;

fn state() -> State {
    State::builder(4 * G1).private().folio_order(Order::Size2M).build().unwrap()
}

#[test]
fn threads_that_convert_in_blocks_of_their_own() {
    let state = state();
    thread::scope(|scope| {
        for thread in 0..4 {
            let state = &state;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let start = thread * G1 + round;
                    state.convert(start..start + 7, Shared).unwrap();
                    drop(state.fault(start, Accessor::Host).unwrap());
                    let pin = state.pinned(start..start + 1).unwrap();
                    let err = state.convert(start..start + 7, Private).unwrap_err();
                    assert_eq!((err.kind(), err.page()), (ErrorKind::Pinned, Some(start)));
                    drop(pin);
                    state.convert(start..start + 7, Private).unwrap();
                }
            });
        }
    });
    assert_eq!(state.stats().conversions, 4 * ROUNDS * 2);
    assert!(state.range_is(0..4 * G1, Private));
    state.verify().unwrap();
}

/// A fault sees the state from before a conversion or from after it, and keeps it.
#[test]
fn faults_beside_conversions() {
    let (state, stop, seen) = (state(), AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let faulting: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Relaxed) {
                        match state.fault(8, Accessor::Host) {
                            Ok(fault) => {
                                assert!(!state.is_private(8));
                                assert!(!state.seq_retry(8, fault.seq()));
                                seen.fetch_add(1, Relaxed);
                            }
                            Err(err) => assert_eq!(err.kind(), ErrorKind::Private),
                        }
                    }
                })
            })
            .collect();
        for _ in 0..ROUNDS {
            state.convert(0..16, Shared).unwrap();
            state.convert(0..16, Private).unwrap();
        }
        state.convert(0..16, Shared).unwrap();
        while seen.load(Relaxed) < 2 {
            thread::yield_now();
        }
        stop.store(true, Relaxed);
        for thread in faulting {
            thread.join().unwrap();
        }
    });
    state.verify().unwrap();
}

/// Registering and unregistering beside conversions: a listener is called until its
/// unregistering returns, and is dropped once. Its own count of pages ends at 0.
#[test]
fn listeners_come_and_go() {
    struct Count {
        held: Mutex<i64>,
        alive: AtomicBool,
    }

    let (state, dropped) = (state(), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..2 {
            let state = &state;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let start = thread * G1 + round % 50;
                    state.convert(start..start + 9, Shared).unwrap();
                    state.convert(start..start + 9, Private).unwrap();
                }
            });
        }
        for concurrent in [false, true] {
            let (state, dropped) = (&state, &dropped);
            scope.spawn(move || {
                for _ in 0..ROUNDS / 4 {
                    let count =
                        Arc::new(Count { held: Mutex::new(0), alive: AtomicBool::new(true) });
                    let shared = count.clone();
                    let listener = move |_: &StateRef, run: Run| {
                        assert!(shared.alive.load(SeqCst));
                        let pages = (run.pages.end - run.pages.start) as i64;
                        let sign = if run.shareability == Shared { 1 } else { -1 };
                        *shared.held.lock().map_err(|_| Errno::EIO)? += sign * pages;
                        Ok(())
                    };
                    let options = ListenerOptions { concurrent, ..ListenerOptions::default() };
                    let id = state.register_listener(0..2 * G1, &options, listener).unwrap();
                    thread::yield_now();
                    state.unregister_listener(id).unwrap();
                    count.alive.store(false, SeqCst);
                    assert_eq!(*count.held.lock().unwrap(), 0);
                    assert_eq!(Arc::strong_count(&count), 1);
                    dropped.fetch_add(1, Relaxed);
                }
            });
        }
    });
    assert_eq!(dropped.load(Relaxed), ROUNDS / 4 * 2);
    assert_eq!(state.stats().listeners, 0);
    state.verify().unwrap();
}

/// Two threads unregister the same listener: one of them does.
#[test]
fn a_listener_is_unregistered_once() {
    let state = state();
    for _ in 0..100 {
        let count = Arc::new(());
        let kept = count.clone();
        let listener = move |_: &StateRef, _: Run| {
            let _ = &kept;
            Ok(())
        };
        let options = ListenerOptions::default();
        let id = state.register_listener(0..G1, &options, listener).unwrap();
        let done: usize = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..2).map(|_| scope.spawn(|| state.unregister_listener(id).is_ok())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap() as usize).sum()
        });
        assert_eq!(done, 1);
        assert_eq!(Arc::strong_count(&count), 1);
    }
}

/// A fault that is open on one thread makes a conversion of another thread wait for it.
#[test]
fn a_conversion_waits_for_a_fault() {
    let (state, converted) = (state(), AtomicBool::new(false));
    state.convert(0..1, Shared).unwrap();
    let fault = state.fault(0, Accessor::Host).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            state.convert(0..1, Private).unwrap();
            converted.store(true, SeqCst);
        });
        thread::sleep(std::time::Duration::from_millis(20));
        assert!(!converted.load(SeqCst) && !state.is_private(0));
        drop(fault);
    });
    assert!(state.is_private(0));
}
