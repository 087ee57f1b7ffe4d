/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * debugfs.h - the folder of the module in debugfs
 */
#ifndef GMS_DEBUGFS_H
#define GMS_DEBUGFS_H

void gms_debugfs_init(void);
void gms_debugfs_fini(void);

#endif /* GMS_DEBUGFS_H */
