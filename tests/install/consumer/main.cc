/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.cc - main.c once more: it is a program in C++17, too
 */
#include "main.c"
