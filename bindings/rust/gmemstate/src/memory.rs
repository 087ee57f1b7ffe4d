// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Where the library gets its memory and its time from.

use std::alloc::Layout;
use std::os::raw::c_void;
use std::ptr::null_mut;

use gmemstate_sys as sys;

use crate::hook::{guarded, infallible};

/// A source of memory for the library's own data: trees, folios, listeners.
///
/// Several threads may call both methods at the same time.
///
/// # Safety
/// [`alloc`](Self::alloc) returns null or memory of that layout, which nothing else uses until it
/// is given to [`free`](Self::free). Neither method uses the object that it allocates for.
pub unsafe trait Allocator: Send + Sync + 'static {
    /// Allocates memory; its contents may be anything. Null, or a panic: there is none. The size
    /// is not 0.
    fn alloc(&self, layout: Layout) -> *mut u8;

    /// Frees memory. A panic ends the process.
    ///
    /// # Safety
    /// `alloc` has returned `memory` for this layout, and it is freed once.
    unsafe fn free(&self, memory: *mut u8, layout: Layout);
}

pub(crate) fn ops<A: Allocator>(ctx: *mut A) -> sys::gms_allocator {
    sys::gms_allocator {
        struct_size: std::mem::size_of::<sys::gms_allocator>(),
        alloc: Some(alloc::<A>),
        free: Some(free::<A>),
        ctx: ctx.cast(),
    }
}

fn layout(size: usize, align: usize) -> Option<Layout> {
    Layout::from_size_align(size.max(1), align).ok()
}

unsafe extern "C" fn alloc<A: Allocator>(
    ctx: *mut c_void,
    size: usize,
    align: usize,
) -> *mut c_void {
    // SAFETY: the context was made for the type A and outlives the object
    let allocator = unsafe { &*ctx.cast::<A>() };
    let layout = match layout(size, align) {
        Some(layout) => layout,
        None => return null_mut(),
    };
    guarded(|| allocator.alloc(layout)).unwrap_or(null_mut()).cast()
}

unsafe extern "C" fn free<A: Allocator>(
    ctx: *mut c_void,
    ptr: *mut c_void,
    size: usize,
    align: usize,
) {
    // SAFETY: as in alloc()
    let allocator = unsafe { &*ctx.cast::<A>() };
    if let Some(layout) = layout(size, align) {
        // SAFETY: C frees once what alloc() returned, with the same size and alignment
        infallible(|| unsafe { allocator.free(ptr.cast(), layout) });
    }
}

/// Returns the time of a clock. After a panic the time is 0: the library allows a clock to step
/// back.
pub(crate) unsafe extern "C" fn clock<C: Fn() -> u64>(ctx: *mut c_void) -> u64 {
    // SAFETY: the context was made for the type C and outlives the object
    let clock = unsafe { &*ctx.cast::<C>() };
    guarded(clock).unwrap_or(0)
}
