// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hypercall.c - the answer to a guest that asks for a conversion
 */
#include <gmemstate/kvm.h>

#include <errno.h>

uint64_t gms_kvm_hypercall_ret(int err)
{
	if (!err)
		return 0;
	return err == -EAGAIN || err == -EPERM ? EAGAIN : EINVAL;
}
