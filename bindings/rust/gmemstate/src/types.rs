// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Shareability, sides, orders, summaries and runs.

use std::ops::Range;
use std::os::raw::c_uint;

use gmemstate_sys as sys;

use crate::Error;

/// Which sides may fault a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shareability {
    /// The guest and the host may.
    Shared,
    /// The guest may, the host may not.
    Private,
}

impl Shareability {
    pub(crate) fn to_c(self) -> sys::gms_shareability {
        match self {
            Self::Shared => sys::GMS_SHARED,
            Self::Private => sys::GMS_PRIVATE,
        }
    }

    /// A value that this crate does not know counts as private, which is the safe side.
    pub(crate) fn from_c(value: sys::gms_shareability) -> Self {
        match value {
            sys::GMS_SHARED => Self::Shared,
            _ => Self::Private,
        }
    }
}

/// Which side faults a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accessor {
    /// The VMM, or another process or a device of the host.
    Host,
    /// The guest.
    Guest,
}

impl Accessor {
    pub(crate) fn to_c(self) -> sys::gms_accessor {
        match self {
            Self::Host => sys::GMS_HOST,
            Self::Guest => sys::GMS_GUEST,
        }
    }

    pub(crate) fn from_c(value: sys::gms_accessor) -> Self {
        match value {
            sys::GMS_GUEST => Self::Guest,
            _ => Self::Host,
        }
    }
}

/// What the pages of one block are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Summary {
    /// Every page of the block is shared.
    AllShared,
    /// Every page of the block is private.
    AllPrivate,
    /// The block has pages of both kinds.
    Mixed,
}

impl Summary {
    pub(crate) fn from_c(value: sys::gms_summary) -> Self {
        match value {
            sys::GMS_ALL_SHARED => Self::AllShared,
            sys::GMS_ALL_PRIVATE => Self::AllPrivate,
            _ => Self::Mixed,
        }
    }
}

/// The binary logarithm of a size in pages. Folios, blocks and mappings have one of these orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// One page of 4 KiB: order 0.
    Size4K,
    /// 512 pages: order 9.
    Size2M,
    /// 262144 pages: order 18.
    Size1G,
}

impl Order {
    /// Returns the order as a number: 0, 9 or 18.
    pub const fn get(self) -> u32 {
        match self {
            Self::Size4K => sys::GMS_ORDER_4K,
            Self::Size2M => sys::GMS_ORDER_2M,
            Self::Size1G => sys::GMS_ORDER_1G,
        }
    }

    /// Returns the size in pages.
    pub const fn pages(self) -> u64 {
        1 << self.get()
    }

    /// Returns the naturally aligned block of this order that has a page.
    pub const fn block(self, index: u64) -> Range<u64> {
        let start = index & !(self.pages() - 1);
        start..start.saturating_add(self.pages())
    }

    /// Rounds down, as the library does: 10 is 2M.
    pub(crate) fn from_c(order: c_uint) -> Self {
        match order {
            0..=8 => Self::Size4K,
            9..=17 => Self::Size2M,
            _ => Self::Size1G,
        }
    }
}

/// Neighbouring pages of one shareability.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The indices of the pages; not empty.
    pub pages: Range<u64>,
    /// The shareability of each of them.
    pub shareability: Shareability,
}

impl Run {
    pub(crate) fn from_c(run: &sys::gms_run) -> Self {
        Self {
            pages: from_start(run.start, run.nr_pages),
            shareability: Shareability::from_c(run.shareability),
        }
    }
}

pub(crate) fn from_start(start: u64, nr_pages: u64) -> Range<u64> {
    start..start.saturating_add(nr_pages)
}

/// Returns the length of a range. A range that ends before it begins is empty, and C refuses it.
pub(crate) fn length(pages: &Range<u64>) -> u64 {
    pages.end.saturating_sub(pages.start)
}

/// Turns a range of bytes into a range of pages.
///
/// Never rounds: if an end of the range is no multiple of 4096, or the range is empty, the error
/// is `Invalid`. Whether to round up or down is a decision about security.
pub fn pages_of_bytes(bytes: Range<u64>) -> Result<Range<u64>, Error> {
    let (mut start, mut nr_pages) = (0, 0);
    // SAFETY: a pure function; both pointers are valid during the call
    Error::check(unsafe {
        sys::gms_range_from_bytes(bytes.start, length(&bytes), &mut start, &mut nr_pages)
    })?;
    Ok(from_start(start, nr_pages))
}

/// Returns the version of the library that is running: major, minor, patch.
pub fn version() -> (u32, u32, u32) {
    // SAFETY: a pure function
    let version = unsafe { sys::gms_version() };
    (version >> 16, version >> 8 & 0xff, version & 0xff)
}
