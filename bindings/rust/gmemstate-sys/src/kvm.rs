// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! kvm.h: the backend for guest_memfd on Linux's KVM.

use std::os::raw::{c_char, c_int, c_uint, c_void};

use crate::state::gms_state;
use crate::types::*;

opaque! {
    gms_kvm: "The memory of a guest. Owned by gms_kvm_create() and gms_kvm_destroy().";
}

pub type gms_kvm_way = c_uint;
pub const GMS_KVM_ANY: gms_kvm_way = 0;
pub const GMS_KVM_IN_PLACE: gms_kvm_way = 1;
pub const GMS_KVM_ATTRIBUTES: gms_kvm_way = 2;
pub const GMS_KVM_MEMSLOTS: gms_kvm_way = 3;

pub const GMS_KVM_INIT_PRIVATE: c_uint = 1 << 0;
pub const GMS_KVM_GUEST_MEMFD: c_uint = 1 << 1;
pub const GMS_KVM_SHARED_FD: c_uint = 1 << 2;
pub const GMS_KVM_HOST: c_uint = 1 << 3;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct gms_kvm_opts {
    pub struct_size: usize,
    pub vm_fd: c_int,
    pub way: gms_kvm_way,
    pub nr_pages: u64,
    pub first_slot: c_uint,
    pub nr_slots: c_uint,
    pub stop_vcpus: Option<unsafe extern "C" fn(ctx: *mut c_void)>,
    pub resume_vcpus: Option<unsafe extern "C" fn(ctx: *mut c_void)>,
    pub ctx: *mut c_void,
    pub flags: c_uint,
    pub guest_memfd: c_int,
    pub guest_memfd_offset: u64,
    pub shared_fd: c_int,
    pub shared_offset: u64,
    pub host: *mut c_void,
}

impl gms_kvm_opts {
    /// What GMS_KVM_OPTS_INIT is in C.
    pub const INIT: Self = Self {
        struct_size: std::mem::size_of::<Self>(),
        vm_fd: -1,
        way: GMS_KVM_ANY,
        nr_pages: 0,
        first_slot: 0,
        nr_slots: 0,
        stop_vcpus: None,
        resume_vcpus: None,
        ctx: std::ptr::null_mut(),
        flags: 0,
        guest_memfd: -1,
        guest_memfd_offset: 0,
        shared_fd: -1,
        shared_offset: 0,
        host: std::ptr::null_mut(),
    };
}

extern "C" {
    pub fn gms_kvm_ways(vm_fd: c_int) -> c_uint;
    pub fn gms_kvm_way_name(mode: gms_kvm_way) -> *const c_char;
    pub fn gms_kvm_create(opts: *const gms_kvm_opts, kvm: *mut *mut gms_kvm) -> c_int;
    pub fn gms_kvm_destroy(kvm: *mut gms_kvm) -> c_int;
    pub fn gms_kvm_backend() -> *const gms_backend_ops;
    pub fn gms_kvm_get_way(kvm: *const gms_kvm) -> gms_kvm_way;
    pub fn gms_kvm_hypercall_ret(err: c_int) -> u64;
    pub fn gms_kvm_host(kvm: *const gms_kvm) -> *mut c_void;
    pub fn gms_kvm_map(kvm: *mut gms_kvm, gfn: u64, start: gms_pgoff_t, nr_pages: u64) -> c_int;
    pub fn gms_kvm_map_flags(
        kvm: *mut gms_kvm,
        gfn: u64,
        start: gms_pgoff_t,
        nr_pages: u64,
        slot_flags: u32,
    ) -> c_int;
    pub fn gms_kvm_unmap(kvm: *mut gms_kvm, gfn: u64) -> c_int;
    pub fn gms_kvm_sync(kvm: *mut gms_kvm, state: *const gms_state) -> c_int;
}
