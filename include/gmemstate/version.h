/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/version.h - the version of the headers, and of the library that is running
 *
 * The two differ if a program runs with another library than it was built with.
 *
 * Usage:
 *
 *	if (gms_version() < GMS_VERSION_NUMBER(0, 1, 0))
 *		... the library is older than this program needs ...
 */
#ifndef GMEMSTATE_VERSION_H
#define GMEMSTATE_VERSION_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers. */
#define GMS_VERSION_MAJOR 0
#define GMS_VERSION_MINOR 1
#define GMS_VERSION_PATCH 0

/** GMS_VERSION_NUMBER() - a version as a number; a newer version is a larger number */
#define GMS_VERSION_NUMBER(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))

/**
 * gms_version() - the version of the library
 *
 * Context: Any. Pure function.
 * Return: GMS_VERSION_NUMBER() of the library that is running.
 */
GMS_API unsigned int gms_version(void);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_VERSION_H */
