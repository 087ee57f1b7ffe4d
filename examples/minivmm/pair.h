/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pair.h - two vCPUs that convert while both run
 */
#ifndef PAIR_H
#define PAIR_H

#include "vm.h"

/* Adds a vCPU to a VM that is all private, starts both anew, and checks what they do. */
void pair_run(struct vm *vm);

#endif /* PAIR_H */
