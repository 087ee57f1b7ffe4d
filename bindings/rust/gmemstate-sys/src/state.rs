// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! state.h and the headers that it includes: the state object.

use std::os::raw::{c_char, c_int, c_uint, c_void};

use crate::types::*;

opaque! {
    gms_state: "The state object. Owned by gms_state_create() and gms_state_destroy().";
}

pub const GMS_INIT_PRIVATE: u64 = 1 << 0;
pub const GMS_CONVERT_RESUMABLE: c_uint = 1 << 0;
pub const GMS_MAX_ATTRS: c_uint = 16;
pub const GMS_LISTENER_CAN_SPLIT: c_uint = 1 << 0;
pub const GMS_LISTENER_CONCURRENT: c_uint = 1 << 1;
pub const GMS_LISTENER_MAX_GRANULE: u64 = 1 << GMS_ORDER_1G;
pub const GMS_LISTENER_BATCH: usize = 32;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct gms_state_opts {
    pub struct_size: usize,
    pub nr_pages: u64,
    pub flags: u64,
    pub folio_order: c_uint,
    pub policy: *const gms_policy_ops,
    pub policy_ctx: *mut c_void,
    pub backend: *const gms_backend_ops,
    pub backend_ctx: *mut c_void,
    pub allocator: *const gms_allocator,
    pub clock_ns: Option<unsafe extern "C" fn(ctx: *mut c_void) -> u64>,
    pub clock_ctx: *mut c_void,
    pub merge_wait_2m: u64,
    pub merge_wait_1g: u64,
}

impl gms_state_opts {
    /// What GMS_STATE_OPTS_INIT is in C.
    pub const INIT: Self = Self {
        struct_size: std::mem::size_of::<Self>(),
        nr_pages: 0,
        flags: 0,
        folio_order: 0,
        policy: std::ptr::null(),
        policy_ctx: std::ptr::null_mut(),
        backend: std::ptr::null(),
        backend_ctx: std::ptr::null_mut(),
        allocator: std::ptr::null(),
        clock_ns: None,
        clock_ctx: std::ptr::null_mut(),
        merge_wait_2m: 0,
        merge_wait_1g: 0,
    };
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_stats {
    pub struct_size: usize,
    pub conversions: u64,
    pub pages_converted: u64,
    pub noops: u64,
    pub refused_inval: u64,
    pub refused_nomem: u64,
    pub nodes: u64,
    pub bytes_in_use: u64,
    pub bytes_pooled: u64,
    pub refused_access: u64,
    pub refused_pinned: u64,
    pub refused_quarantined: u64,
    pub refused_deadlock: u64,
    pub refused_backend: u64,
    pub faults_host: u64,
    pub faults_guest: u64,
    pub folios_allocated: u64,
    pub folios_freed: u64,
    pub blocks_freed: u64,
    pub prepares: u64,
    pub splits_1g: u64,
    pub splits_2m: u64,
    pub merges_1g: u64,
    pub merges_2m: u64,
    pub splits_deferred: u64,
    pub merges_refused: u64,
    pub undone: u64,
    pub quarantined_pages: u64,
    pub surplus_unpins: u64,
    pub refused_frozen: u64,
    pub refused_exists: u64,
    pub listeners: u64,
    pub bindings: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_fault {
    pub folio_index: gms_pgoff_t,
    pub folio_order: c_uint,
    pub max_order: c_uint,
    pub prepared: bool,
    pub fresh: bool,
    pub seq: u64,
    pub r#priv: [u64; 4],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_iter {
    pub r#priv: [u64; 8],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct gms_listener_ops {
    pub struct_size: usize,
    pub flags: c_uint,
    pub change: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            runs: *const gms_run,
            count: usize,
            to: gms_shareability,
            done: *mut usize,
        ) -> c_int,
    >,
}

extern "C" {
    pub fn gms_state_create(opts: *const gms_state_opts, state: *mut *mut gms_state) -> c_int;
    pub fn gms_state_destroy(state: *mut gms_state);
    pub fn gms_state_nr_pages(state: *const gms_state) -> u64;
    pub fn gms_state_policy_name(state: *const gms_state) -> *const c_char;
    pub fn gms_maintain(state: *mut gms_state, max_blocks: u64) -> u64;
    pub fn gms_stats_read(state: *const gms_state, stats: *mut gms_stats) -> c_int;
    pub fn gms_state_verify(state: *mut gms_state, reason: *mut *const c_char) -> bool;
    pub fn gms_convert(
        state: *mut gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        to: gms_shareability,
        flags: c_uint,
        err_index: *mut gms_pgoff_t,
    ) -> c_int;
    pub fn gms_convert_gfn(
        state: *mut gms_state,
        gfn: u64,
        nr_pages: u64,
        to: gms_shareability,
        flags: c_uint,
        err_gfn: *mut u64,
    ) -> c_int;
    pub fn gms_is_private(state: *const gms_state, index: gms_pgoff_t) -> bool;
    pub fn gms_range_is(
        state: *const gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        shareability: gms_shareability,
    ) -> bool;
    pub fn gms_summary(state: *const gms_state, index: gms_pgoff_t, order: c_uint) -> gms_summary;
    pub fn gms_max_order(state: *const gms_state, index: gms_pgoff_t) -> c_uint;
    pub fn gms_count(
        state: *const gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        shareability: gms_shareability,
    ) -> u64;
    pub fn gms_is_allocated(state: *const gms_state, index: gms_pgoff_t) -> bool;
    pub fn gms_is_prepared(state: *const gms_state, index: gms_pgoff_t) -> bool;
    pub fn gms_is_quarantined(state: *const gms_state, index: gms_pgoff_t) -> bool;
    pub fn gms_quarantine_next(
        state: *const gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        first: *mut gms_pgoff_t,
        count: *mut u64,
    ) -> bool;
    pub fn gms_folio_order(state: *const gms_state, index: gms_pgoff_t) -> c_uint;
    pub fn gms_seq_read(state: *const gms_state, index: gms_pgoff_t) -> u64;
    pub fn gms_seq_retry(state: *const gms_state, index: gms_pgoff_t, seq: u64) -> bool;
    pub fn gms_iter_init(
        iter: *mut gms_iter,
        state: *const gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
    );
    pub fn gms_iter_next(iter: *mut gms_iter, run: *mut gms_run) -> bool;
    pub fn gms_lock_shared(state: *mut gms_state, start: gms_pgoff_t, nr_pages: u64) -> c_int;
    pub fn gms_unlock_shared(state: *mut gms_state, start: gms_pgoff_t, nr_pages: u64);
    pub fn gms_fault_begin(
        state: *mut gms_state,
        index: gms_pgoff_t,
        accessor: gms_accessor,
        fault: *mut gms_fault,
    ) -> c_int;
    pub fn gms_fault_prepare(state: *mut gms_state, fault: *mut gms_fault) -> c_int;
    pub fn gms_fault_end(state: *mut gms_state, fault: *mut gms_fault);
    pub fn gms_allocate(
        state: *mut gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        err_index: *mut gms_pgoff_t,
    ) -> c_int;
    pub fn gms_punch_hole(
        state: *mut gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        err_index: *mut gms_pgoff_t,
    ) -> c_int;
    pub fn gms_pin(
        state: *mut gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        err_index: *mut gms_pgoff_t,
    ) -> c_int;
    pub fn gms_unpin(state: *mut gms_state, start: gms_pgoff_t, nr_pages: u64);
    pub fn gms_first_pin(
        state: *const gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        index: *mut gms_pgoff_t,
    ) -> bool;
    pub fn gms_attr_create(state: *mut gms_state, id: *mut c_uint) -> c_int;
    pub fn gms_attr_set(
        state: *mut gms_state,
        id: c_uint,
        start: gms_pgoff_t,
        nr_pages: u64,
        set: bool,
    ) -> c_int;
    pub fn gms_attr_test(state: *const gms_state, id: c_uint, index: gms_pgoff_t) -> bool;
    pub fn gms_inhibit(
        state: *mut gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        order: c_uint,
    ) -> c_int;
    pub fn gms_uninhibit(state: *mut gms_state, start: gms_pgoff_t, nr_pages: u64) -> c_int;
    pub fn gms_repair(
        state: *mut gms_state,
        start: gms_pgoff_t,
        nr_pages: u64,
        shareability: gms_shareability,
    ) -> c_int;
    pub fn gms_freeze(state: *mut gms_state) -> c_int;
    pub fn gms_thaw(state: *mut gms_state) -> c_int;
    pub fn gms_is_frozen(state: *const gms_state) -> bool;
    pub fn gms_strerror(err: c_int) -> *const c_char;
    pub fn gms_reason() -> *const c_char;
    pub fn gms_reason_set(why: *const c_char);
    pub fn gms_snapshot_save(
        state: *const gms_state,
        buf: *mut c_void,
        size: usize,
        needed: *mut usize,
    ) -> c_int;
    pub fn gms_snapshot_load(
        buf: *const c_void,
        size: usize,
        opts: *const gms_state_opts,
        state: *mut *mut gms_state,
    ) -> c_int;
    pub fn gms_listener_register(
        state: *mut gms_state,
        ops: *const gms_listener_ops,
        ctx: *mut c_void,
        start: gms_pgoff_t,
        nr_pages: u64,
        granule: u64,
        id: *mut c_uint,
    ) -> c_int;
    pub fn gms_listener_unregister(state: *mut gms_state, id: c_uint) -> c_int;
    pub fn gms_bind(
        state: *mut gms_state,
        gfn: u64,
        start: gms_pgoff_t,
        nr_pages: u64,
        id: *mut c_uint,
    ) -> c_int;
    pub fn gms_unbind(state: *mut gms_state, id: c_uint) -> c_int;
    pub fn gms_gfn_to_index(state: *const gms_state, gfn: u64, index: *mut gms_pgoff_t) -> c_int;
    pub fn gms_gfn_max_order(state: *const gms_state, gfn: u64, order: *mut c_uint) -> c_int;
    pub fn gms_fault_begin_gfn(
        state: *mut gms_state,
        gfn: u64,
        accessor: gms_accessor,
        fault: *mut gms_fault,
    ) -> c_int;
}
