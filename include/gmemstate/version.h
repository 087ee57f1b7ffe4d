/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/version.h - the version of the headers, and the version of the library that is
 * running
 *
 *  1. GMS_VERSION_MAJOR, _MINOR and _PATCH are the version of the headers, at compile time.
 *  2. gms_version() is the version of the library, at run time.
 *  3. The two differ if a program runs with another library than the one it was built with.
 *
 * Usage: refuse a library that is too old.
 *
 *	if (gms_version() < GMS_VERSION_NUMBER(0, 1, 0))
 *		fprintf(stderr, "gmemstate %s is too old\n", gms_version_string());
 */
#ifndef GMEMSTATE_VERSION_H
#define GMEMSTATE_VERSION_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** GMS_VERSION_MAJOR - the first part of the version of these headers */
#define GMS_VERSION_MAJOR 0
/** GMS_VERSION_MINOR - the second part of the version of these headers */
#define GMS_VERSION_MINOR 1
/** GMS_VERSION_PATCH - the third part of the version of these headers */
#define GMS_VERSION_PATCH 0

/**
 * GMS_VERSION_NUMBER() - make one number of a version
 * @major: the first part
 * @minor: the second part, 0 to 255
 * @patch: the third part, 0 to 255
 *
 * The number of a newer version is larger.
 */
#define GMS_VERSION_NUMBER(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))

/**
 * gms_version() - return the version of the library that is running
 *
 * Context: Any. Pure function.
 * Return: the version, as GMS_VERSION_NUMBER() makes it.
 */
GMS_API unsigned int gms_version(void);

/**
 * gms_version_string() - return the version of the library that is running, for messages
 *
 * Context: Any. Pure function.
 * Return: the three parts, with dots between: "0.1.0". It need not be freed.
 */
GMS_API const char *gms_version_string(void);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_VERSION_H */
