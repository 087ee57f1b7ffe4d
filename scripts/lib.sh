# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# lib.sh - what the scripts here have in common. To be sourced:
#
#	source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#
# root		the top of the source tree
# jobs		how many things to run at once
# say, warn	a line to stderr
# die		the same, and exit
# need_packages	install what is missing
# configure	configure a preset
# build		the same where that was not done yet, then build
# git_here	git in the source tree, whoever owns it
# files		the files of the tree

# shellcheck disable=SC2034 # for those who source this
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc)

say() { printf '== %s\n' "$*" >&2; }
warn() { printf '%s: warning: %s\n' "${0##*/}" "$*" >&2; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# need_packages package...: install the Debian packages that are not installed yet, as root
# or with sudo. Asks nothing. Where there is no dpkg, trust that the tools are there.
need_packages() {
	local pkg status missing=() as_root=()

	if ! command -v dpkg-query >/dev/null; then
		warn "this is no Debian; taking it that these are installed: $*"
		return 0
	fi
	for pkg in "$@"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$pkg" 2>/dev/null) || status=
		[[ $status == installed ]] || missing+=("$pkg")
	done
	((${#missing[@]})) || return 0

	if ((EUID)); then
		command -v sudo >/dev/null ||
			die "needs these packages, but is neither root nor has sudo: ${missing[*]}"
		as_root=(sudo)
	fi
	as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
	say "installing ${missing[*]}"
	"${as_root[@]}" update </dev/null >/dev/null || warn "apt-get update failed; trying all the same"
	"${as_root[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null ||
		die "could not install ${missing[*]}"
}

# configure preset [option...]: configure a preset in build/<preset>
configure() { (cd "$root" && cmake --preset "$@" --log-level=WARNING >/dev/null); }

# build preset [target...]: build a preset. Configures it where that was not done yet;
# afterwards ninja itself sees to it that the configuration is up to date.
build() {
	local preset=$1 dir=$root/build/$1
	shift

	[[ -f $dir/build.ninja ]] || configure "$preset" || return
	ninja -C "$dir" --quiet "$@" | sed '/^ninja: no work to do\.$/d; /^-- /d' >&2
}

git_here() { git -c safe.directory="$root" -C "$root" "$@"; }

# files [pattern...]: the files of the tree that match, those included that git has not been
# told of yet; git's patterns, as for git ls-files
files() { (cd "$root" && git_here ls-files --cached --others --exclude-standard -- "$@" | sort -u); }
