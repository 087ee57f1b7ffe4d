/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lockdep.h - the order of the library's locks
 */
#ifndef GMS_LOCKDEP_H
#define GMS_LOCKDEP_H

#ifdef CONFIG_PROVE_LOCKING
/* Returns 0 or -ENOMEM. */
int gms_lockdep_init(void);
#else
static inline int gms_lockdep_init(void)
{
	return 0;
}
#endif

#endif /* GMS_LOCKDEP_H */
