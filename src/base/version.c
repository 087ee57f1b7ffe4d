// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * version.c - the version of the library
 */
#include <gmemstate/version.h>

#define VERSION_TEXT(number) #number
#define VERSION_PARTS(major, minor, patch) \
	VERSION_TEXT(major) "." VERSION_TEXT(minor) "." VERSION_TEXT(patch)

const char *gms_version_string(void)
{
	return VERSION_PARTS(GMS_VERSION_MAJOR, GMS_VERSION_MINOR, GMS_VERSION_PATCH);
}

unsigned int gms_version(void)
{
	return GMS_VERSION_NUMBER(GMS_VERSION_MAJOR, GMS_VERSION_MINOR, GMS_VERSION_PATCH);
}
