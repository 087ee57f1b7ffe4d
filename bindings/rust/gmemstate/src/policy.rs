// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Policies: when a folio is split, and when folios are merged.

use std::ffi::{CStr, CString};
use std::fmt;
use std::ops::BitOr;
use std::os::raw::{c_uint, c_void};

use gmemstate_sys as sys;

use crate::hook::guarded;
use crate::{Accessor, Order, Shareability, Summary};

/// A policy of the library.
#[derive(Clone, Copy)]
pub struct Policy(&'static sys::gms_policy_ops);

// SAFETY: the struct is constant data of the library, and its functions are pure
unsafe impl Send for Policy {}
// SAFETY: as above
unsafe impl Sync for Policy {}

impl Policy {
    /// Finds a policy: "eager-rfc", "eager", "eager-nonuniform", "lazy-4k", "lazy" or "adaptive".
    pub fn by_name(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: a pure function; what it returns lasts as long as the library
        unsafe { sys::gms_policy_by_name(name.as_ptr()).as_ref() }.map(Self)
    }

    /// Splits when the host first touches a mixed block, and merges nothing. The default.
    pub fn lazy() -> Self {
        // SAFETY: a pure function; what it returns lasts as long as the library
        Self(unsafe { &*sys::gms_policy_lazy() })
    }

    /// Splits as lazy does, and merges when that pays.
    pub fn adaptive() -> Self {
        // SAFETY: as in lazy()
        Self(unsafe { &*sys::gms_policy_adaptive() })
    }

    /// Splits a huge folio at once where it is not all private.
    pub fn eager() -> Self {
        // SAFETY: as in lazy()
        Self(unsafe { &*sys::gms_policy_eager() })
    }

    /// Returns the name.
    pub fn name(&self) -> &'static str {
        // SAFETY: the library's names are constant strings
        unsafe { CStr::from_ptr(self.0.name) }.to_str().unwrap_or("?")
    }

    pub(crate) fn ops(self) -> *const sys::gms_policy_ops {
        self.0
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Policy").field(&self.name()).finish()
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Policy {}

/// Why the engine queries a policy.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The folio has just been allocated.
    Allocate,
    /// The accessor faults the page, or pins it.
    Fault,
    /// The page is being converted.
    Convert,
    /// A part of the folio is being punched out.
    Punch,
    /// [`StateRef::maintain`](crate::StateRef::maintain) runs.
    Maintain,
    /// An event that this crate does not know.
    Other,
}

impl Event {
    fn from_c(event: sys::gms_event) -> Self {
        match event {
            sys::GMS_EV_ALLOCATE => Self::Allocate,
            sys::GMS_EV_FAULT => Self::Fault,
            sys::GMS_EV_CONVERT => Self::Convert,
            sys::GMS_EV_PUNCH => Self::Punch,
            sys::GMS_EV_MAINTAIN => Self::Maintain,
            _ => Self::Other,
        }
    }
}

/// The events that a policy decides. At any other event folios stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Events(c_uint);

impl Events {
    /// All of them.
    pub const ALL: Self = Self(0);
    /// [`Event::Allocate`].
    pub const ALLOCATE: Self = Self(1 << sys::GMS_EV_ALLOCATE);
    /// [`Event::Fault`] of both sides.
    pub const FAULT: Self = Self(1 << sys::GMS_EV_FAULT);
    /// [`Event::Fault`] of the host only.
    pub const HOST_FAULT: Self = Self(1 << sys::GMS_EV_FAULT | sys::GMS_POLICY_HOST_FAULTS);
    /// [`Event::Convert`].
    pub const CONVERT: Self = Self(1 << sys::GMS_EV_CONVERT);
    /// [`Event::Punch`].
    pub const PUNCH: Self = Self(1 << sys::GMS_EV_PUNCH);
    /// [`Event::Maintain`].
    pub const MAINTAIN: Self = Self(1 << sys::GMS_EV_MAINTAIN);
}

impl BitOr for Events {
    type Output = Self;

    /// Joins two sets. With `HOST_FAULT` the faults of the guest are left out.
    fn bitor(self, other: Self) -> Self {
        if self == Self::ALL || other == Self::ALL {
            Self::ALL
        } else {
            Self(self.0 | other.0)
        }
    }
}

/// What a query shows a policy.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The event.
    pub event: Event,
    /// The side that faults the page; at events without a fault, the host.
    pub accessor: Accessor,
    /// What the page is converted to; at other events its shareability.
    pub to: Shareability,
    /// The index of the page.
    pub index: u64,
    /// The index of the first page of the folio.
    pub folio_index: u64,
    /// The order of the folio.
    pub folio_order: Order,
    /// The summary of the 2M block, as it is after the event.
    pub s2m: Summary,
    /// The summary of the 1G block, as it is after the event.
    pub s1g: Summary,
    /// Whether a page of the folio is pinned.
    pub pinned: bool,
    /// How often the 1G block, or a 2M block in it, turned from uniform to mixed or back.
    pub flips: u32,
    /// The time since the object was created: nanoseconds, or a count of changes.
    pub now: u64,
    /// The time of the last flip; 0 if there was none.
    pub since: u64,
    /// The order of the largest folio that the backing has there.
    pub backing_order: Order,
    /// For how long the 2M block has been all private since its folio was split last.
    pub rest_2m: u64,
    /// How large `rest_2m` should be for a merge. `u64::MAX`: never merge.
    pub wait_2m: u64,
    /// As `rest_2m`, for the 1G block.
    pub rest_1g: u64,
    /// As `wait_2m`, for the 1G block.
    pub wait_1g: u64,
}

impl View {
    fn from_c(view: &sys::gms_policy_view) -> Self {
        Self {
            event: Event::from_c(view.event),
            accessor: Accessor::from_c(view.accessor),
            to: Shareability::from_c(view.to),
            index: view.index,
            folio_index: view.folio_index,
            folio_order: Order::from_c(view.folio_order),
            s2m: Summary::from_c(view.s2m),
            s1g: Summary::from_c(view.s1g),
            pinned: view.pinned,
            flips: view.flips,
            now: view.now,
            since: view.since,
            backing_order: Order::from_c(view.backing_order),
            rest_2m: view.rest_2m,
            wait_2m: view.wait_2m,
            rest_1g: view.rest_1g,
            wait_1g: view.wait_1g,
        }
    }
}

/// What a policy answers. Before the call it holds the order of the folio: no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The order that the folio should have. Below the folio's: a split; above: a merge.
    pub order: Order,
    /// What a split makes of the rest of the folio: folios of `order`, or the largest possible.
    pub uniform: bool,
    /// What a merge does if a folio of `order` cannot be made: nothing, or the largest possible.
    pub exact: bool,
}

/// A policy of the caller's. A closure `|view: &View, verdict: &mut Verdict| ...` is one, too.
pub trait Decide: Send + Sync + 'static {
    /// Returns the events that the policy decides. Asked once.
    fn events(&self) -> Events {
        Events::ALL
    }

    /// Stores a verdict. Locks are held: the method must neither block nor call the library. It
    /// should depend on nothing but the view. After a panic the folio stays as it is.
    fn decide(&self, view: &View, verdict: &mut Verdict);
}

impl<F: Fn(&View, &mut Verdict) + Send + Sync + 'static> Decide for F {
    fn decide(&self, view: &View, verdict: &mut Verdict) {
        self(view, verdict)
    }
}

pub(crate) fn own_ops<D: Decide>(policy: &D) -> sys::gms_policy_ops {
    sys::gms_policy_ops {
        struct_size: std::mem::size_of::<sys::gms_policy_ops>(),
        name: b"own\0".as_ptr().cast(),
        decide: Some(decide::<D>),
        events: policy.events().0,
    }
}

unsafe extern "C" fn decide<D: Decide>(
    ctx: *mut c_void,
    view: *const sys::gms_policy_view,
    verdict: *mut sys::gms_policy_verdict,
) {
    // SAFETY: the context was made for the type D and outlives the object. C passes a view and a
    // verdict, both only for this call.
    let (policy, view, verdict) = unsafe { (&*ctx.cast::<D>(), &*view, &mut *verdict) };
    let decided = guarded(|| {
        let order = Order::from_c(verdict.order);
        let mut decided = Verdict { order, uniform: verdict.uniform, exact: verdict.exact };
        policy.decide(&View::from_c(view), &mut decided);
        decided
    });
    if let Some(decided) = decided {
        verdict.order = decided.order.get();
        verdict.uniform = decided.uniform;
        verdict.exact = decided.exact;
    }
}
