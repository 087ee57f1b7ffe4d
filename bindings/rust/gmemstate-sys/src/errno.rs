// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The numbers of errno.h that the library returns, or that hooks are likely to return. std has
//! no names for them. A test compares them with the C compiler's errno.h.

use std::os::raw::c_int;

#[cfg(any(target_arch = "mips64", target_arch = "sparc64"))]
compile_error!("this machine has other error numbers");

pub const EPERM: c_int = 1;
pub const ENOENT: c_int = 2;
pub const EIO: c_int = 5;
pub const EAGAIN: c_int = 11;
pub const ENOMEM: c_int = 12;
pub const EACCES: c_int = 13;
pub const EFAULT: c_int = 14;
pub const EBUSY: c_int = 16;
pub const EEXIST: c_int = 17;
pub const EINVAL: c_int = 22;
pub const ENOSPC: c_int = 28;
pub const EDEADLK: c_int = 35;
pub const EBADMSG: c_int = 74;
pub const EPROTONOSUPPORT: c_int = 93;
pub const EOPNOTSUPP: c_int = 95;
pub const ENOTRECOVERABLE: c_int = 131;
