/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * setup.h - what the programs here have in common: numbers on the command line, a VM, exit statuses
 */
#ifndef SETUP_H
#define SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include <gmemstate/kvm.h>

#include "machine.h"

#define EXIT_CANNOT 2
#define EXIT_SKIPPED 77

/* Of the command line. 0 or -EINVAL. */
int setup_number(const char *text, uint64_t *number);
int setup_way(const char *name, enum gms_kvm_way *way);

bool setup_have_kvm(void);

/*
 * A VM that can do what *@way asks for: attributes, else memslots; written back. In place is not
 * compared: here a page that was converted is taken to be a new one. 0; -EOPNOTSUPP: this
 * KVM does not have that way; -errno.
 */
int setup_machine(struct machine *m, enum gms_kvm_way *way);

#endif /* SETUP_H */
