// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! types.h, version.h, alloc.h, policy.h and backend.h: types, constants, and what the caller
//! brings.

use std::os::raw::{c_char, c_int, c_uint, c_void};

/// Declares structs that C code names by pointers only.
macro_rules! opaque {
    ($($name:ident: $what:literal;)*) => {$(
        #[doc = $what]
        #[repr(C)]
        #[derive(Debug)]
        pub struct $name {
            _data: [u8; 0],
            _marker: core::marker::PhantomData<(*mut u8, core::marker::PhantomPinned)>,
        }
    )*};
}
pub(crate) use opaque;

pub type gms_pgoff_t = u64;

pub const GMS_PAGE_SHIFT: c_uint = 12;
pub const GMS_ORDER_4K: c_uint = 0;
pub const GMS_ORDER_2M: c_uint = 9;
pub const GMS_ORDER_1G: c_uint = 18;
pub const GMS_MAX_PAGES: u64 = 1 << 40;

pub const GMS_VERSION_MAJOR: c_uint = 0;
pub const GMS_VERSION_MINOR: c_uint = 1;
pub const GMS_VERSION_PATCH: c_uint = 0;

/// Makes one number of a version, as the macro GMS_VERSION_NUMBER() does.
pub const fn gms_version_number(major: c_uint, minor: c_uint, patch: c_uint) -> c_uint {
    major << 16 | minor << 8 | patch
}

pub type gms_shareability = c_uint;
pub const GMS_SHARED: gms_shareability = 0;
pub const GMS_PRIVATE: gms_shareability = 1;

pub type gms_accessor = c_uint;
pub const GMS_HOST: gms_accessor = 0;
pub const GMS_GUEST: gms_accessor = 1;

pub type gms_summary = c_uint;
pub const GMS_ALL_SHARED: gms_summary = 0;
pub const GMS_ALL_PRIVATE: gms_summary = 1;
pub const GMS_MIXED: gms_summary = 2;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_run {
    pub start: gms_pgoff_t,
    pub nr_pages: u64,
    pub shareability: gms_shareability,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct gms_allocator {
    pub struct_size: usize,
    pub alloc:
        Option<unsafe extern "C" fn(ctx: *mut c_void, size: usize, align: usize) -> *mut c_void>,
    pub free:
        Option<unsafe extern "C" fn(ctx: *mut c_void, ptr: *mut c_void, size: usize, align: usize)>,
    pub ctx: *mut c_void,
}

pub type gms_event = c_uint;
pub const GMS_EV_ALLOCATE: gms_event = 0;
pub const GMS_EV_FAULT: gms_event = 1;
pub const GMS_EV_CONVERT: gms_event = 2;
pub const GMS_EV_PUNCH: gms_event = 3;
pub const GMS_EV_MAINTAIN: gms_event = 4;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_policy_view {
    pub event: gms_event,
    pub accessor: gms_accessor,
    pub to: gms_shareability,
    pub index: gms_pgoff_t,
    pub folio_index: gms_pgoff_t,
    pub folio_order: c_uint,
    pub s2m: gms_summary,
    pub s1g: gms_summary,
    pub pinned: bool,
    pub flips: u32,
    pub now: u64,
    pub since: u64,
    pub backing_order: c_uint,
    pub rest_2m: u64,
    pub wait_2m: u64,
    pub rest_1g: u64,
    pub wait_1g: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_policy_verdict {
    pub order: c_uint,
    pub uniform: bool,
    pub exact: bool,
}

pub const GMS_POLICY_HOST_FAULTS: c_uint = 1 << 31;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct gms_policy_ops {
    pub struct_size: usize,
    pub name: *const c_char,
    pub decide: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            view: *const gms_policy_view,
            verdict: *mut gms_policy_verdict,
        ),
    >,
    pub events: c_uint,
}

pub const GMS_BACKEND_PINS_BY_FOLIO: c_uint = 1 << 0;

/// The answer of a prepare hook that prepared a block in smaller parts, as the macro
/// GMS_PREPARED_AT() makes it.
pub const fn gms_prepared_at(order: c_uint) -> c_int {
    0x4000 + order as c_int
}

type gms_range_hook =
    Option<unsafe extern "C" fn(ctx: *mut c_void, start: gms_pgoff_t, nr_pages: u64) -> c_int>;
type gms_range_notice =
    Option<unsafe extern "C" fn(ctx: *mut c_void, start: gms_pgoff_t, nr_pages: u64)>;
type gms_folio_change_hook = Option<
    unsafe extern "C" fn(ctx: *mut c_void, index: gms_pgoff_t, from: c_uint, to: c_uint) -> c_int,
>;
type gms_change_hook = Option<
    unsafe extern "C" fn(
        ctx: *mut c_void,
        start: gms_pgoff_t,
        nr_pages: u64,
        to: gms_shareability,
    ) -> c_int,
>;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct gms_backend_ops {
    pub struct_size: usize,
    pub flags: c_uint,
    pub unmap_host: gms_range_hook,
    pub check_pins: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            start: gms_pgoff_t,
            nr_pages: u64,
            pinned: *mut gms_pgoff_t,
        ) -> c_int,
    >,
    pub invalidate_begin: gms_range_notice,
    pub zap_guest: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            start: gms_pgoff_t,
            nr_pages: u64,
            only: gms_shareability,
        ),
    >,
    pub apply: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            start: gms_pgoff_t,
            nr_pages: u64,
            to: gms_shareability,
            failed: *mut gms_pgoff_t,
        ) -> c_int,
    >,
    pub undo: gms_change_hook,
    pub invalidate_end: gms_range_notice,
    pub prepare:
        Option<unsafe extern "C" fn(ctx: *mut c_void, start: gms_pgoff_t, order: c_uint) -> c_int>,
    pub folio_alloc:
        Option<unsafe extern "C" fn(ctx: *mut c_void, index: gms_pgoff_t, order: c_uint) -> c_int>,
    pub folio_free:
        Option<unsafe extern "C" fn(ctx: *mut c_void, index: gms_pgoff_t, order: c_uint)>,
    pub folio_split: gms_folio_change_hook,
    pub folio_merge: gms_folio_change_hook,
    pub block_freed: Option<unsafe extern "C" fn(ctx: *mut c_void, index: gms_pgoff_t)>,
    pub map_host: gms_range_hook,
    pub repair: gms_change_hook,
}

extern "C" {
    pub fn gms_range_from_bytes(
        offset: u64,
        size: u64,
        start: *mut gms_pgoff_t,
        nr_pages: *mut u64,
    ) -> c_int;
    pub fn gms_version() -> c_uint;
    pub fn gms_version_string() -> *const c_char;
    pub fn gms_policy_eager_rfc() -> *const gms_policy_ops;
    pub fn gms_policy_eager() -> *const gms_policy_ops;
    pub fn gms_policy_eager_nonuniform() -> *const gms_policy_ops;
    pub fn gms_policy_lazy_4k() -> *const gms_policy_ops;
    pub fn gms_policy_lazy() -> *const gms_policy_ops;
    pub fn gms_policy_adaptive() -> *const gms_policy_ops;
    pub fn gms_policy_by_name(name: *const c_char) -> *const gms_policy_ops;
}
