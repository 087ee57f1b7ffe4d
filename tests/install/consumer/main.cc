/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.cc - compiles main.c as C++17
 */
#include "main.c"
