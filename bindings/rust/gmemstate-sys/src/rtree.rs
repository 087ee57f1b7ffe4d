// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! rtree.h: the range tree, which can be used without the state object.

use std::os::raw::{c_char, c_int, c_uint};

use crate::types::*;

opaque! {
    gms_rtree: "A set of page indices. Owned by gms_rtree_create() and gms_rtree_destroy().";
}

pub type gms_rtree_fill = c_uint;
pub const GMS_RTREE_NONE: gms_rtree_fill = 0;
pub const GMS_RTREE_ALL: gms_rtree_fill = 1;
pub const GMS_RTREE_MIXED: gms_rtree_fill = 2;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_rtree_run {
    pub start: gms_pgoff_t,
    pub nr_pages: u64,
    pub set: bool,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_rtree_look {
    pub set: bool,
    pub fill_2m: gms_rtree_fill,
    pub fill_1g: gms_rtree_fill,
}

/// Not Copy: a reserve must not be copied while it is in use.
#[repr(C)]
#[derive(Debug)]
pub struct gms_rtree_reserve {
    pub r#priv: [u64; 64],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gms_rtree_cursor {
    pub r#priv: [u64; 8],
}

extern "C" {
    pub fn gms_rtree_create(
        nr_pages: u64,
        init: gms_rtree_fill,
        allocator: *const gms_allocator,
        tree: *mut *mut gms_rtree,
    ) -> c_int;
    pub fn gms_rtree_destroy(tree: *mut gms_rtree);
    pub fn gms_rtree_set(tree: *mut gms_rtree, start: gms_pgoff_t, nr_pages: u64) -> c_int;
    pub fn gms_rtree_clear(tree: *mut gms_rtree, start: gms_pgoff_t, nr_pages: u64) -> c_int;
    pub fn gms_rtree_prepare(
        tree: *mut gms_rtree,
        start: gms_pgoff_t,
        nr_pages: u64,
        reserve: *mut gms_rtree_reserve,
    ) -> c_int;
    pub fn gms_rtree_is_prepared(tree: *const gms_rtree, start: gms_pgoff_t, nr_pages: u64)
        -> bool;
    pub fn gms_rtree_commit(
        tree: *mut gms_rtree,
        start: gms_pgoff_t,
        nr_pages: u64,
        set: bool,
        reserve: *mut gms_rtree_reserve,
    );
    pub fn gms_rtree_revert(tree: *mut gms_rtree, reserve: *mut gms_rtree_reserve);
    pub fn gms_rtree_release(tree: *mut gms_rtree, reserve: *mut gms_rtree_reserve);
    pub fn gms_rtree_test(tree: *const gms_rtree, index: gms_pgoff_t) -> bool;
    pub fn gms_rtree_look(tree: *const gms_rtree, index: gms_pgoff_t) -> gms_rtree_look;
    pub fn gms_rtree_fill(
        tree: *const gms_rtree,
        index: gms_pgoff_t,
        order: c_uint,
    ) -> gms_rtree_fill;
    pub fn gms_rtree_fill_range(
        tree: *const gms_rtree,
        start: gms_pgoff_t,
        nr_pages: u64,
    ) -> gms_rtree_fill;
    pub fn gms_rtree_fill_mask(
        tree: *const gms_rtree,
        index: gms_pgoff_t,
        fill: gms_rtree_fill,
    ) -> u64;
    pub fn gms_rtree_uniform_order(tree: *const gms_rtree, index: gms_pgoff_t) -> c_uint;
    pub fn gms_rtree_count(tree: *const gms_rtree, start: gms_pgoff_t, nr_pages: u64) -> u64;
    pub fn gms_rtree_next(
        tree: *const gms_rtree,
        from: gms_pgoff_t,
        end: gms_pgoff_t,
        run: *mut gms_rtree_run,
    ) -> bool;
    pub fn gms_rtree_cursor_init(
        cursor: *mut gms_rtree_cursor,
        tree: *const gms_rtree,
        start: gms_pgoff_t,
        end: gms_pgoff_t,
    );
    pub fn gms_rtree_cursor_next(cursor: *mut gms_rtree_cursor, run: *mut gms_rtree_run) -> bool;
    pub fn gms_rtree_memory(tree: *const gms_rtree) -> usize;
    pub fn gms_rtree_pooled(tree: *const gms_rtree) -> usize;
    pub fn gms_rtree_nodes(tree: *const gms_rtree) -> u64;
    pub fn gms_rtree_verify(tree: *const gms_rtree, reason: *mut *const c_char) -> bool;
}
