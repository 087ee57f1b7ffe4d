# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# shellcheck disable=SC2154 # lib.sh and the script set these variables
#
# kernels.sh - functions to build kernels, and to run programs in one under QEMU. A script sources
# it after lib.sh.
#
# cache			is the folder of what is built once and kept
# complaints		is what a kernel prints if something is wrong, as a regular expression
# in_cache		builds a folder of the cache, if it is not complete
# lock_cache		keeps other scripts from changing the cache, until unlock_cache
# unpack_source		unpacks the sources of a package linux-source-*
# configure_kernel	configures a kernel
# within		runs a program for some seconds at most, and not longer than the script
# make_initramfs	makes an initramfs that runs commands one by one
# run_guest		boots a kernel in QEMU
# read_console		judges the commands by the console of the guest
# read_kernel		fails if the guest's kernel complained
#
# read_console and read_kernel add to passed, failed and skipped of the script.

# shellcheck disable=SC2034 # for the scripts that source this file
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gmemstate

complaints='BUG:|WARNING:|Oops|Kernel panic|general protection|Call Trace|KASAN:|UBSAN:|soft lockup'
complaints+='|possible circular|INFO: (possible|task|trying|rcu|lockdep)|inconsistent lock'
complaints+='|DEBUG_LOCKS_WARN_ON|unreferenced object|kmemleak: [1-9]|kmemleak: Cannot allocate'
complaints+='|leak detector disabled|kernel BUG at|BUG kmalloc|locking correctness validator'
complaints+='|Out of memory|printk messages dropped|list_(add|del) corruption'

# in_cache folder command [argument...]: unless the folder is complete, empties it and runs the
# command, which fills it. One script at a time builds.
in_cache() {
	local folder=$1
	shift

	lock_cache
	if [[ ! -f $folder/complete ]]; then
		rm -rf "$folder"
		mkdir -p "$folder"
		"$@"
		: >"$folder/complete"
	fi
	unlock_cache
}

# lock_cache, unlock_cache: between them no other script changes the cache.
lock_cache() {
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
}

unlock_cache() { exec 9>&-; }

# unpack_source package folder
unpack_source() {
	tar -xf "/usr/src/$1.tar.xz" -C "$2" --strip-components=1
}

# configure_kernel source out arch config...: configures the kernel in the folder source, which is
# built in the folder out, or in the same. The first file is merged over tinyconfig, and each other
# file over the ones before it.
configure_kernel() {
	local source=$1 out=$2 arch=$3 log=$2/configure.log lost
	shift 3

	(
		cd "$source"
		[[ $out == "$source" ]] || export KBUILD_OUTPUT=$out
		make -s ARCH="$arch" tinyconfig
		ARCH=$arch scripts/kconfig/merge_config.sh -m -Q -O "$out" "$out/.config" "$@"
		make -s ARCH="$arch" olddefconfig
	) </dev/null >"$log" 2>&1 || die "$(tail -n 20 "$log")"
	lost=$(comm -23 <(grep -ho '^CONFIG_[^#]*=[^n].*' "$@" | sort -u) <(sort "$out/.config"))
	[[ -z $lost ]] || die "this kernel does not have these options: $lost"
}

# build_kernel out arch [target...]: builds what was configured
build_kernel() {
	local out=$1 arch=$2
	shift 2

	make -s -C "$out" ARCH="$arch" -j "$jobs" "$@" </dev/null >"$out/build.log" 2>&1 ||
		die "$(grep -A 8 -iE 'error:|undefined' "$out/build.log" ||
			tail -n 20 "$out/build.log")"
}

# within seconds program [argument...]: runs a program, and ends it after some seconds. It also ends
# with the script, even if that is killed. To be called in a pipeline, whose shell it replaces.
within() { exec setpriv --pdeathsig TERM timeout --foreground "$@"; }

# make_initramfs name program...: makes NAME.gz, with the programs in /bin, and with the libraries
# that they need. It runs the commands of stdin.
make_initramfs() {
	local tree=$1.initramfs name=$1 lib
	shift

	rm -rf "$tree"
	mkdir -p "$tree"/{bin,dev,proc,sys,tmp}
	cp "$(command -v busybox)" "$tree/bin/busybox"
	cp "$@" "$tree/bin/"
	while read -r lib; do
		mkdir -p "$tree${lib%/*}"
		cp -L "$lib" "$tree$lib"
	done < <(ldd "$@" 2>/dev/null | grep -o '/[^ ]*' | grep -v : | sort -u)
	cp "$root/tests/nested/init" "$tree/init"
	chmod +x "$tree/init"
	cat >"$tree/commands"
	(cd "$tree" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$name.gz"
}

# run_guest name kernel seconds parameters [option...]: boots the kernel with NAME.gz on an emulated
# SVM, with these parameters and options of QEMU. Leaves what the programs print in NAME.log, and
# what the kernel prints in NAME.kernel.
run_guest() {
	local name=$1 kernel=$2 limit=$3 parameters=$4 rc=0
	# On a busy host the guest's processors may stall, which is no fault of its kernel.
	local slow='rcupdate.rcu_cpu_stall_suppress=1 no_timer_check'
	shift 4

	# An emulated processor copies by rep movsb far more slowly than in a loop.
	within "$limit" qemu-system-x86_64 -accel tcg,thread=multi \
		-cpu max,+svm,+npt,-erms,-fsrm \
		-nodefaults -display none -no-reboot -serial stdio -serial "file:$name.kernel" \
		-kernel "$kernel" -initrd "$name.gz" \
		-append "console=ttyS1 panic=-1 loglevel=5 $slow $parameters" \
		"$@" </dev/null 2>&1 | sed -u 's/\r//g' | tee "$name.log" || rc=$?
	((rc != 124)) || say "stopped after $limit s"
}

# judge command status output: counts one run as passed, failed or skipped, by its exit status; by
# its last line, if it counts mismatches; and by the last line of cmocka. A run that KVM cannot do (77) is
# skipped on the host, and fails in the guest. The caller sets where.
judge() {
	local command=$1 status=$2 last

	last=$(tail -n 1 <<<"$3")
	if ((status == 77)) && [[ $where == host ]]; then
		((++skipped))
		say "skipped: $command ($where)"
		return
	fi
	case $command in
	load\ *--plant*) # its exit status is 1 then
		[[ $last =~ \ [1-9][0-9]*\ mismatches$ ]] && status=0 || status=1
		;;
	*--plant*) [[ $last =~ ^[0-9]+\ conversions,.*\ [1-9][0-9]*\ mismatches$ ]] || status=1 ;;
	*--conversions*)
		[[ $last =~ ^([0-9]+)\ conversions,\ [1-9].*\ [1-9][0-9]*\ host\ probes,\ 0\ mismatches$ &&
			$command =~ --conversions\ ${BASH_REMATCH[1]}\  ]] || status=1
		;;
	race\ * | load\ *) [[ $last =~ ^[1-9].*\ 0\ mismatches$ ]] || status=1 ;;
	kvm_real* | exceptions* | conversions* | pins* | counters*)
		grep -q '^\[  PASSED  \] [1-9]' <<<"$3" || status=1
		;;
	esac
	if ((status)); then
		((++failed))
		say "FAILED: $command ($where)"
	else
		((++passed))
	fi
}

# read_console name: judges the runs by the console of the guest, where init prints a line before
# and after each run. A command that did not end has failed.
read_console() {
	local line command='' output='' seen=0 wanted

	wanted=$(wc -l <"$1.initramfs/commands")
	while IFS= read -r line; do
		case $line in
		'nested: run '*) command=${line#nested: run } output='' ;;
		'nested: exit '*)
			judge "$command" "${line#nested: exit }" "$output"
			((++seen))
			;;
		*) output+=${output:+$'\n'}$line ;;
		esac
	done <"$1.log"
	if ((seen < wanted)); then
		say "FAILED: of $wanted runs in the guest $((wanted - seen)) did not end"
		((failed += wanted - seen))
	fi
}

# read_kernel name [functions]: fails if the guest's kernel complained, or did not shut down. KCSAN
# also reports races of the kernel itself: only a report counts that names one of the functions,
# which are in a file.
read_kernel() {
	local said

	said=$(grep -E "$complaints" "$1.kernel" | grep -v 'BUG: KCSAN' || true)
	said+=$(grep 'BUG: KCSAN' "$1.kernel" | grep -wFf "${2-/dev/null}" || true)
	if [[ $said ]] || ! grep -qx 'nested: tainted 0' "$1.log" ||
		! grep -q '^nested: done' "$1.log"; then
		head -n 20 <<<"$said" >&2
		say "FAILED: the guest's kernel, see $1.kernel"
		((++failed))
	else
		((++passed))
	fi
}
