// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Errors: what a call returns, and what a hook answers.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::raw::c_int;

use gmemstate_sys::errno;

/// An error number, positive, as a hook or a listener returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errno(c_int);

impl Errno {
    /// A failure of the device. Panics of hooks count as this.
    pub const EIO: Self = Self(errno::EIO);
    /// A page is in use.
    pub const EAGAIN: Self = Self(errno::EAGAIN);
    /// There is no memory.
    pub const ENOMEM: Self = Self(errno::ENOMEM);
    /// Something is busy.
    pub const EBUSY: Self = Self(errno::EBUSY);
    /// An argument is bad.
    pub const EINVAL: Self = Self(errno::EINVAL);
    /// There is no space left: no more mappings, for example.
    pub const ENOSPC: Self = Self(errno::ENOSPC);
    /// The operation is not supported.
    pub const EOPNOTSUPP: Self = Self(errno::EOPNOTSUPP);

    /// Makes an error number, 1 to 4095. Any other number counts as `EIO`, so that an error is
    /// never taken for a success.
    pub const fn new(number: i32) -> Self {
        if number > 0 && number < 4096 {
            Self(number)
        } else {
            Self::EIO
        }
    }

    /// Returns the number, 1 to 4095.
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl From<io::Error> for Errno {
    /// Takes the number of the operating system; an error without one is `EIO`.
    fn from(err: io::Error) -> Self {
        Self::new(err.raw_os_error().unwrap_or(errno::EIO))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

/// What went wrong.
///
/// A hook or a listener may return any number, also one that the library has a meaning for. Then
/// the kind is that meaning, and [`Error::reason`] says who refused.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// `EINVAL`: a range, order, option or number is bad.
    Invalid,
    /// `EACCES`: the host faults or pins a private page.
    Private,
    /// `EAGAIN`: a page is pinned, or the backend found it in use. [`Error::page`] is the page.
    Pinned,
    /// `ENOMEM`: an allocation failed.
    NoMemory,
    /// `ENOSPC`: the object has as many attributes as it can have, or KVM's memslots are used up.
    NoSpace,
    /// `EEXIST`: a gfn or a page is bound already.
    Exists,
    /// `ENOENT`: nothing is bound at the gfn.
    NotBound,
    /// `EPERM`: the object is frozen.
    Frozen,
    /// `EDEADLK`: the call would wait for its own thread. It has done nothing.
    Deadlock,
    /// `ENOTRECOVERABLE`: a page is quarantined. [`Error::page`] is the page.
    Quarantined,
    /// `EBADMSG`: the snapshot is damaged, or is none.
    Damaged,
    /// `EPROTONOSUPPORT`: the snapshot is of a newer version.
    NewerVersion,
    /// Another number, which a hook of the backend or a listener returned. What the call had done
    /// was undone.
    Refused,
}

/// Returns the reason of the call of this thread that has just failed.
fn reason_of() -> Option<&'static str> {
    // SAFETY: C returns a string that is never freed
    let text = unsafe { CStr::from_ptr(gmemstate_sys::gms_reason()) };
    text.to_str().ok().filter(|text| !text.is_empty())
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Error {
    errno: Errno,
    page: Option<u64>,
    reason: Option<&'static str>,
}

impl Error {
    pub(crate) const INVALID: Self = Self { errno: Errno::EINVAL, page: None, reason: None };
    pub(crate) const NO_MEMORY: Self = Self { errno: Errno::ENOMEM, page: None, reason: None };
    pub(crate) const NOT_BOUND: Self = Self { errno: Errno(errno::ENOENT), page: None, reason: None };

    /// Makes a result of what a call of C returned.
    pub(crate) fn check(ret: c_int) -> Result<(), Self> {
        match ret {
            0 => Ok(()),
            _ => Err(Self {
                errno: Errno::new(ret.wrapping_neg()),
                page: None,
                reason: reason_of(),
            }),
        }
    }

    /// Calls C with a place for the index of a page, and keeps the index if the call wrote one.
    pub(crate) fn check_at(call: impl FnOnce(*mut u64) -> c_int) -> Result<(), Self> {
        let mut page = u64::MAX; // the index of no page: GMS_MAX_PAGES is smaller
        Self::check(call(&mut page))
            .map_err(|err| Self { page: Some(page).filter(|&page| page != u64::MAX), ..err })
    }

    /// Returns what went wrong.
    pub fn kind(&self) -> ErrorKind {
        match self.errno.get() {
            errno::EINVAL => ErrorKind::Invalid,
            errno::EACCES => ErrorKind::Private,
            errno::EAGAIN => ErrorKind::Pinned,
            errno::ENOMEM => ErrorKind::NoMemory,
            errno::ENOSPC => ErrorKind::NoSpace,
            errno::EEXIST => ErrorKind::Exists,
            errno::ENOENT => ErrorKind::NotBound,
            errno::EPERM => ErrorKind::Frozen,
            errno::EDEADLK => ErrorKind::Deadlock,
            errno::ENOTRECOVERABLE => ErrorKind::Quarantined,
            errno::EBADMSG => ErrorKind::Damaged,
            errno::EPROTONOSUPPORT => ErrorKind::NewerVersion,
            _ => ErrorKind::Refused,
        }
    }

    /// Returns the page that the call reports (`err_index` in C): for the kinds `Pinned` and
    /// `Quarantined` the page in the way. The method of the call says what it is for other kinds.
    /// `None`: the call reports no page.
    pub fn page(&self) -> Option<u64> {
        self.page
    }

    /// Returns more than the kind says, in English: which condition of `Invalid` or `Damaged` it
    /// was, or that a hook or a listener refused. `None`: the kind says all, and the library itself
    /// refused.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// Returns true if the same call may succeed later without a repair: a page was pinned or in
    /// use, or the object was frozen.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind(), ErrorKind::Pinned | ErrorKind::Frozen)
    }

    /// Returns the error number.
    pub fn errno(&self) -> Errno {
        self.errno
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind() {
            ErrorKind::Invalid => "bad range, order, option or number",
            ErrorKind::Private => "the page is private",
            ErrorKind::Pinned => "a page is pinned or in use",
            ErrorKind::NoMemory => "out of memory",
            ErrorKind::NoSpace => "there is no room for one more",
            ErrorKind::Exists => "bound already",
            ErrorKind::NotBound => "nothing is bound at the gfn",
            ErrorKind::Frozen => "the object is frozen",
            ErrorKind::Deadlock => "the call would wait for its own thread",
            ErrorKind::Quarantined => "a page is quarantined",
            ErrorKind::Damaged => "the snapshot is damaged",
            ErrorKind::NewerVersion => "the snapshot is of a newer version",
            ErrorKind::Refused => "a hook or a listener refused",
        };
        match (self.reason, self.kind(), self.page) {
            (Some(reason), ErrorKind::Invalid | ErrorKind::Damaged, _) => f.write_str(reason),
            (Some(reason), _, _) => write!(f, "{}: {}", reason, self.errno),
            (None, ErrorKind::Pinned | ErrorKind::Quarantined, Some(page)) => {
                write!(f, "{} (at {:#x})", text, page)
            }
            _ => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(err: Error) -> Self {
        Self::from_raw_os_error(err.errno.get())
    }
}

impl From<Error> for Errno {
    /// Lets a hook pass on what a call of its own returned.
    fn from(err: Error) -> Self {
        err.errno
    }
}
