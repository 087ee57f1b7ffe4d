// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * version.c - the version of the library
 */
#include <gmemstate/version.h>

unsigned int gms_version(void)
{
	return GMS_VERSION_NUMBER(GMS_VERSION_MAJOR, GMS_VERSION_MINOR, GMS_VERSION_PATCH);
}
