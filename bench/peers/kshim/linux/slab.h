/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* slab.h - see kshim.h */
#ifndef BENCH_KSHIM_SLAB_H
#define BENCH_KSHIM_SLAB_H

#include <linux/gfp.h>
#include <linux/types.h>

#include "kshim.h"

#define SLAB_PANIC 0
#endif
