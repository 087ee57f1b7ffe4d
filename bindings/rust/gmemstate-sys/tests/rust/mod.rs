// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What this crate declares. Functions and hooks are read from its sources; sizes, offsets and
//! values are those of the compiled crate.

use std::fs;
use std::mem::{size_of, MaybeUninit};
use std::path::Path;

use gmemstate_sys::*;

use super::Facts;

/// Returns the sources of the crate, each run of white space as one blank.
fn text() -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if cfg!(feature = "kvm") || !path.ends_with("kvm.rs") {
            all += &fs::read_to_string(path).unwrap();
        }
    }
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads "a: u64, b: *mut c_void) -> c_int;" up to the result, without the names.
fn signature(text: &str) -> String {
    let close = text.find(')').unwrap();
    let types: Vec<&str> = text[..close]
        .split(',')
        .filter(|parameter| !parameter.trim().is_empty())
        .map(|parameter| parameter.split_once(':').unwrap().1.trim())
        .collect();
    let result = match text[close + 1..].strip_prefix(" -> ") {
        Some(rest) => {
            let end = rest.find(&[';', ',', '>'][..]).unwrap();
            format!(" -> {}", rest[..end].trim())
        }
        None => String::new(),
    };
    format!("({}){}", types.join(", "), result)
}

pub fn functions() -> Facts {
    let text = text();
    let mut all = Facts::new();
    for part in text.split("pub fn gms_").skip(1) {
        let (name, rest) = part.split_once('(').unwrap();
        all.insert(format!("gms_{}", name), signature(rest));
    }
    all
}

/// Returns the signature of each field `pub name: Option<unsafe extern "C" fn(...)>`, also if
/// the type has an alias.
pub fn hooks() -> Facts {
    let text = text();
    let marker = "unsafe extern \"C\" fn(";
    let mut aliases = Facts::new();
    for part in text.split("type ").skip(1) {
        match part.split_once(" = Option<") {
            Some((name, rest)) if !name.contains(' ') => {
                let rest = rest.trim_start().strip_prefix(marker).unwrap();
                aliases.insert(name.to_string(), signature(rest));
            }
            _ => {}
        }
    }
    let mut all = Facts::new();
    for part in text.split("pub struct ").skip(1) {
        let (name, rest) = part.split_once(" {").unwrap();
        let body = &rest[..rest.find('}').unwrap()];
        for field in body.split("pub ").skip(1) {
            let (field, rest) = field.split_once(": ").unwrap();
            let found = match rest.find(marker) {
                Some(at) => Some(signature(&rest[at + marker.len()..])),
                None => aliases.get(rest.trim().trim_end_matches(',')).cloned(),
            };
            if let Some(found) = found {
                all.insert(format!("{}.{}", name, field), found);
            }
        }
    }
    all
}

fn size_of_field<T>(_: *const T) -> usize {
    size_of::<T>()
}

macro_rules! layout {
    ($all:ident, $name:ident { $($field:ident)* }) => {{
        let value = MaybeUninit::<$name>::uninit();
        let base = value.as_ptr();
        $all.insert(stringify!($name).to_string(), size_of::<$name>().to_string());
        $({
            // SAFETY: only addresses are taken, inside of the value
            let field = unsafe { std::ptr::addr_of!((*base).$field) };
            let name = stringify!($field).trim_start_matches("r#");
            let offset = field as usize - base as usize;
            let text = format!("{}+{}", offset, size_of_field(field));
            $all.insert(format!("{}.{}", stringify!($name), name), text);
        })*
    }};
}

#[rustfmt::skip]
pub fn layouts() -> Facts {
    let mut all = Facts::new();
    layout!(all, gms_run { start nr_pages shareability });
    layout!(all, gms_allocator { struct_size alloc free ctx });
    layout!(all, gms_policy_view {
        event accessor to index folio_index folio_order s2m s1g pinned flips now since
        backing_order rest_2m wait_2m rest_1g wait_1g
    });
    layout!(all, gms_policy_verdict { order uniform exact });
    layout!(all, gms_policy_ops { struct_size name decide events });
    layout!(all, gms_backend_ops {
        struct_size flags unmap_host check_pins invalidate_begin zap_guest apply undo
        invalidate_end prepare folio_alloc folio_free folio_split folio_merge block_freed
        map_host repair
    });
    layout!(all, gms_state_opts {
        struct_size nr_pages flags folio_order policy policy_ctx backend backend_ctx allocator
        clock_ns clock_ctx merge_wait_2m merge_wait_1g
    });
    layout!(all, gms_stats {
        struct_size conversions pages_converted noops refused_inval refused_nomem nodes
        bytes_in_use bytes_pooled refused_access refused_pinned refused_quarantined
        refused_deadlock refused_backend faults_host faults_guest folios_allocated folios_freed
        blocks_freed prepares splits_1g splits_2m merges_1g merges_2m splits_deferred
        merges_refused undone quarantined_pages surplus_unpins refused_frozen refused_exists
        listeners bindings
    });
    layout!(all, gms_fault {
        folio_index folio_order max_order prepared fresh seq r#priv
    });
    layout!(all, gms_iter { r#priv });
    layout!(all, gms_listener_ops { struct_size flags change });
    layout!(all, gms_rtree_run { start nr_pages set });
    layout!(all, gms_rtree_look { set fill_2m fill_1g });
    layout!(all, gms_rtree_reserve { r#priv });
    layout!(all, gms_rtree_cursor { r#priv });
    #[cfg(feature = "kvm")]
    layout!(all, gms_kvm_opts {
        struct_size vm_fd way nr_pages first_slot nr_slots stop_vcpus resume_vcpus ctx flags
        guest_memfd guest_memfd_offset shared_fd shared_offset host
    });
    all
}

macro_rules! values {
    ($all:ident: $($name:ident)*) => {
        $($all.insert(stringify!($name).to_string(), ($name as i64).to_string());)*
    };
}

#[rustfmt::skip]
pub fn constants() -> Facts {
    let mut all = Facts::new();
    values!(all:
        GMS_PAGE_SHIFT GMS_ORDER_4K GMS_ORDER_2M GMS_ORDER_1G GMS_MAX_PAGES
        GMS_VERSION_MAJOR GMS_VERSION_MINOR GMS_VERSION_PATCH
        GMS_SHARED GMS_PRIVATE GMS_HOST GMS_GUEST GMS_ALL_SHARED GMS_ALL_PRIVATE GMS_MIXED
        GMS_EV_ALLOCATE GMS_EV_FAULT GMS_EV_CONVERT GMS_EV_PUNCH GMS_EV_MAINTAIN
        GMS_POLICY_HOST_FAULTS GMS_BACKEND_PINS_BY_FOLIO
        GMS_INIT_PRIVATE GMS_CONVERT_RESUMABLE GMS_MAX_ATTRS
        GMS_LISTENER_CAN_SPLIT GMS_LISTENER_CONCURRENT GMS_LISTENER_MAX_GRANULE
        GMS_LISTENER_BATCH
        GMS_RTREE_NONE GMS_RTREE_ALL GMS_RTREE_MIXED
    );
    #[cfg(feature = "kvm")]
    values!(all:
        GMS_KVM_ANY GMS_KVM_IN_PLACE GMS_KVM_ATTRIBUTES GMS_KVM_MEMSLOTS
        GMS_KVM_INIT_PRIVATE GMS_KVM_GUEST_MEMFD GMS_KVM_SHARED_FD GMS_KVM_HOST
    );
    all.insert("gms_version_number".to_string(), gms_version_number(1, 2, 3).to_string());
    all.insert("gms_prepared_at".to_string(), gms_prepared_at(9).to_string());
    all
}

#[rustfmt::skip]
pub fn errnos() -> Facts {
    use gmemstate_sys::errno::*;

    let mut all = Facts::new();
    values!(all:
        EPERM ENOENT EIO EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST EINVAL ENOSPC EDEADLK EBADMSG
        EPROTONOSUPPORT EOPNOTSUPP ENOTRECOVERABLE
    );
    all
}
