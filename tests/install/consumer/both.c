// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * both.c - links the core and the backend for KVM by a target each, in this order
 *
 * It calls nothing of the core. So the linker has to find for the backend what the backend calls.
 */
#include <gmemstate/kvm.h>

int main(void)
{
	int (*volatile sync)(struct gms_kvm *, const struct gms_state *) = gms_kvm_sync;

	return !sync;
}
