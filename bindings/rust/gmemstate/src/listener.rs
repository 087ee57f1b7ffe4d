// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Listeners: who has to know what is shared, such as VFIO.

use std::os::raw::{c_int, c_uint, c_void};
use std::sync::Arc;

use gmemstate_sys as sys;

use crate::hook::{fallible, Context};
use crate::{Errno, Run, Shareability, StateRef};

/// Is notified of what becomes shared, and of what is withdrawn.
///
/// A listener has a range and a granule, the smallest size that it can map. While no call is under
/// way, it holds exactly those granules of its range that are wholly shared and have no
/// quarantined page. If it refuses, the conversion fails and is undone.
///
/// A closure `|state: &StateRef, run: Run| ...` is a listener, too.
///
/// In both methods faults, pins, unpins, shared locks and queries of `state` work; any other call
/// returns `Deadlock`. A listener must not wait for a thread that converts. A panic counts as a
/// failure with `EIO`.
pub trait Listener: Send + Sync + 'static {
    /// Maps a run that is shared now (`run.shareability` is `Shared`), or unmaps a run that is
    /// withdrawn (`Private`).
    ///
    /// On failure nothing of this run is mapped or unmapped; the library undoes the runs before.
    fn change(&self, state: &StateRef, run: Run) -> Result<(), Errno>;

    /// Maps or unmaps the runs of one call of the library, by [`change`](Self::change). A listener
    /// that can do several at once has a method of its own.
    ///
    /// `done` is 0 before the call. On failure it is the number of runs, from the first on, that
    /// are mapped or unmapped: the library undoes these.
    fn change_batch(
        &self,
        state: &StateRef,
        batch: Batch<'_>,
        done: &mut usize,
    ) -> Result<(), Errno> {
        for run in batch.iter() {
            self.change(state, run)?;
            *done += 1;
        }
        Ok(())
    }
}

/// The runs of one call of a listener: 1 to 32. They ascend, consist of whole granules, and all of
/// them became shared, or all are withdrawn.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    runs: &'a [sys::gms_run],
    to: Shareability,
}

impl<'a> Batch<'a> {
    /// Returns what the runs are now: `Private` if they are withdrawn.
    pub fn to(&self) -> Shareability {
        self.to
    }

    /// Visits the runs.
    pub fn iter(&self) -> impl Iterator<Item = Run> + 'a {
        let (runs, shareability) = (self.runs, self.to);
        runs.iter().map(move |run| Run { pages: Run::from_c(run).pages, shareability })
    }
}

impl<F> Listener for F
where
    F: Fn(&StateRef, Run) -> Result<(), Errno> + Send + Sync + 'static,
{
    fn change(&self, state: &StateRef, run: Run) -> Result<(), Errno> {
        self(state, run)
    }
}

impl<L: Listener + ?Sized> Listener for Arc<L> {
    fn change(&self, state: &StateRef, run: Run) -> Result<(), Errno> {
        (**self).change(state, run)
    }

    fn change_batch(
        &self,
        state: &StateRef,
        batch: Batch<'_>,
        done: &mut usize,
    ) -> Result<(), Errno> {
        (**self).change_batch(state, batch, done)
    }
}

/// How a listener wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerOptions {
    /// The smallest size that the listener can map, in pages: a power of two, up to 1G.
    pub granule: u64,
    /// A run that was mapped as one may be withdrawn in parts. Then runs are as long as possible;
    /// else each run is one granule.
    pub can_split: bool,
    /// Calls of the listener need not be serialised: conversions in different shards may call it
    /// at the same time.
    pub concurrent: bool,
}

impl Default for ListenerOptions {
    /// A granule of one page, no splitting, one call at a time.
    fn default() -> Self {
        Self { granule: 1, can_split: false, concurrent: false }
    }
}

impl ListenerOptions {
    fn flags(&self) -> c_uint {
        let can_split = if self.can_split { sys::GMS_LISTENER_CAN_SPLIT } else { 0 };
        let concurrent = if self.concurrent { sys::GMS_LISTENER_CONCURRENT } else { 0 };
        can_split | concurrent
    }
}

/// Names a listener that is registered. No two of a process are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub(crate) u64);

pub(crate) fn ops<L: Listener>(options: &ListenerOptions) -> sys::gms_listener_ops {
    sys::gms_listener_ops {
        struct_size: std::mem::size_of::<sys::gms_listener_ops>(),
        flags: options.flags(),
        change: Some(change::<L>),
    }
}

/// Whatever the listener does, *done is what it has counted so far.
unsafe extern "C" fn change<L: Listener>(
    ctx: *mut c_void,
    runs: *const sys::gms_run,
    count: usize,
    to: sys::gms_shareability,
    done: *mut usize,
) -> c_int {
    // SAFETY: the context is registered with this function, and is freed after the listener has
    // been unregistered. C passes `count` runs and a place for `done`, both only for this call. A
    // `done` above `count` counts as `count`.
    let (context, runs, done) = unsafe {
        (&*ctx.cast::<Context<L>>(), std::slice::from_raw_parts(runs, count), &mut *done)
    };
    fallible(|| {
        // SAFETY: C is calling
        let state = unsafe { context.state() };
        let batch = Batch { runs, to: Shareability::from_c(to) };
        context.value.change_batch(&state, batch, done)
    })
}
