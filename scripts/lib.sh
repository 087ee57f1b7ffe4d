# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# lib.sh - functions that the scripts share. A script sources it:
#
#	source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#
# root		is the path of the source tree
# jobs		is the number of jobs to run at once
# tool_packages	are the Debian packages that the library and the tool are built with
# say, warn	print a line to stderr
# die		prints a line to stderr, and exits
# need_packages	installs packages that are missing
# configure	configures a preset
# build		builds a preset, and configures it first if that was not done before
# git_here	runs git in the source tree, even if another user owns the tree
# files		lists the files of the tree
# debian_headers	prints the folder of the headers of a kernel

# shellcheck disable=SC2034 # for the scripts that source this file
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc)
tool_packages=(gcc libc6-dev cmake ninja-build pkg-config libjansson-dev libmd-dev libarchive-dev
	libtracecmd-dev libtracefs-dev libtraceevent-dev)

say() { printf '== %s\n' "$*" >&2; }
warn() { printf '%s: warning: %s\n' "${0##*/}" "$*" >&2; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# need_packages package...: installs those Debian packages that are missing, as root or with sudo,
# and asks no questions. On a system without dpkg it only warns.
need_packages() {
	local pkg status missing=() as_root=()

	if ! command -v dpkg-query >/dev/null; then
		warn "not on Debian: assuming that these are installed: $*"
		return 0
	fi
	for pkg in "$@"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$pkg" 2>/dev/null) || status=
		[[ $status == installed ]] || missing+=("$pkg")
	done
	((${#missing[@]})) || return 0

	if ((EUID)); then
		command -v sudo >/dev/null ||
			die "needs root or sudo to install these packages: ${missing[*]}"
		as_root=(sudo)
	fi
	# another apt-get, one that upgrades in the background for example, is waited for
	as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600)
	say "installing ${missing[*]}"
	"${as_root[@]}" update </dev/null >/dev/null || warn "apt-get update failed; continuing"
	"${as_root[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null ||
		die "could not install ${missing[*]}"
}

# configure preset [option...]: configures a preset in build/<preset>
configure() { (cd "$root" && cmake --preset "$@" --log-level=WARNING >/dev/null); }

# build preset [target...]: builds a preset. Configures it if that was not done before. After that,
# ninja keeps the configuration up to date.
build() {
	local preset=$1 dir=$root/build/$1
	shift

	[[ -f $dir/build.ninja ]] || configure "$preset" || return
	ninja -C "$dir" --quiet "$@" | sed '/^ninja: no work to do\.$/d; /^-- /d' >&2
}

git_here() { git -c safe.directory="$root" -C "$root" "$@"; }

# files [pattern...]: lists the files of the tree that match, with patterns as for git ls-files.
# Also lists new files that git does not track yet; but no link to a folder of the tree.
files() {
	(
		cd "$root" || exit
		git_here ls-files --cached --others --exclude-standard -- "$@" | sort -u |
			while IFS= read -r file; do [[ -d $file ]] || echo "$file"; done
	)
}

# debian_headers series: prints the folder of the newest installed headers of a series of Debian's
# kernels. Those that are real-time, or for clouds, have other configurations.
debian_headers() {
	local found

	found=$(printf '%s\n' /usr/src/linux-headers-"$1".*-amd64 |
		grep -vE -- '-(rt|cloud)-' | sort -V | tail -n 1)
	[[ -d $found ]] || die "no headers of Linux $1 in /usr/src"
	echo "$found"
}
