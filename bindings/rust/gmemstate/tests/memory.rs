// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! An allocator of the caller's: each allocation fails in turn, all memory is given back.
#![deny(unsafe_op_in_unsafe_fn)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::Arc;

use gmemstate::Shareability::{Private, Shared};
use gmemstate::{Allocator, Error, ErrorKind, ListenerOptions, Order, Run, State, StateRef};

const G1: u64 = 512 * 512;

/// Counts what is allocated, and lets the n-th allocation from now on fail.
#[derive(Default)]
struct Pool {
    live: AtomicUsize,
    fails_in: AtomicI64, // 1: the next one; 0: none
    panics: bool,
}

struct PoolRef(Arc<Pool>);

// SAFETY: the memory is that of the system's allocator
unsafe impl Allocator for PoolRef {
    fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.0.fails_in.fetch_sub(1, SeqCst) == 1 {
            assert!(!self.0.panics, "planned");
            return std::ptr::null_mut();
        }
        self.0.live.fetch_add(layout.size(), SeqCst);
        // SAFETY: the size is not 0
        unsafe { System.alloc(layout) }
    }

    unsafe fn free(&self, memory: *mut u8, layout: Layout) {
        self.0.live.fetch_sub(layout.size(), SeqCst);
        // SAFETY: alloc() has returned the memory for this layout
        unsafe { System.dealloc(memory, layout) }
    }
}

fn build(pool: &Arc<Pool>) -> Result<State, Error> {
    State::builder(4 * G1)
        .private()
        .folio_order(Order::Size1G)
        .allocator(PoolRef(pool.clone()))
        .build()
}

/// Runs a call with its first allocation failing, then its second, and so on, until it succeeds.
/// Returns how often it failed.
fn each_fails<T>(pool: &Pool, mut call: impl FnMut() -> Result<T, Error>) -> (T, i64) {
    for nth in 1.. {
        pool.fails_in.store(nth, SeqCst);
        let result = call();
        pool.fails_in.store(0, SeqCst);
        match result {
            Ok(value) => return (value, nth - 1),
            Err(err) => assert_eq!(err.kind(), ErrorKind::NoMemory),
        }
    }
    unreachable!()
}

fn every_allocation_fails(panics: bool) {
    let pool = Arc::new(Pool { panics, ..Pool::default() });
    let (state, failures) = each_fails(&pool, || build(&pool));
    assert!(failures > 4, "{}", failures);

    let before = state.save().unwrap();
    let (_, failures) = each_fails(&pool, || {
        let result = state.convert(1000..1001, Shared);
        assert!(result.is_ok() || state.save().unwrap() == before, "nothing has changed");
        result
    });
    assert!(failures > 0);
    let closure = || |_: &StateRef, _: Run| Ok(());
    let options = ListenerOptions::default();
    let (_, failures) = each_fails(&pool, || state.register_listener(0..G1, &options, closure()));
    assert!(failures > 0);
    each_fails(&pool, || state.pin(1000..1001));
    each_fails(&pool, || state.attr_create());
    each_fails(&pool, || state.bind(0, 0..G1));
    state.unpin(1000..1001);
    state.convert(0..4 * G1, Private).unwrap();
    let saved = state.save().unwrap();
    let load = || State::builder(0).allocator(PoolRef(pool.clone())).load(&saved);
    let (copy, failures) = each_fails(&pool, load);
    assert!(failures > 4);
    state.verify().unwrap();
    drop(copy);
    drop(state);
    assert_eq!(pool.live.load(SeqCst), 0, "all memory was given back");
    assert_eq!(Arc::strong_count(&pool), 1, "the allocators were dropped");
}

#[test]
fn every_allocation_returns_null_once() {
    every_allocation_fails(false);
}

#[test]
fn every_allocation_panics_once() {
    every_allocation_fails(true);
}
