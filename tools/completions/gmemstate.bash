# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# gmemstate.bash - completion of gmemstate's command line in bash
#
# The test tool_completion compares the words with the tables of the tool.

# _gmemstate_options command: prints the options that a command takes
_gmemstate_options() {
	local log='--size --init --format --json'
	local lab='--backing --pin-time --touch --rmp --rent --costs --arch --punch'

	case $1 in
	replay) echo "$log --save --policy --pins $lab" ;;
	report) echo "$log --text $lab" ;;
	dump) echo "$log" ;;
	gen) echo --size --vcpus --seed ;;
	costs) echo --rent --costs ;;
	selftest) echo --seed ;;
	esac
	echo --help --version
}

# _gmemstate_values option: prints the values that an option takes. Fails if it takes no value.
_gmemstate_values() {
	case $1 in
	--init) echo auto shared private ;;
	--format) echo auto ftrace qemu csv ;;
	--policy) echo eager-rfc eager eager-nonuniform eager-unmerged lazy-4k lazy adaptive all ;;
	--backing) echo 1G 2M 4K ;;
	--pins) echo both folio page ;;
	--touch) echo accessed all ;;
	--rmp) echo heals sticky ;;
	--arch) echo snp tdx pkvm ;;
	--size | --pin-time | --rent | --vcpus | --seed) ;;
	*) return 1 ;;
	esac
}

_gmemstate() {
	local commands='replay report dump gen costs selftest help'
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' word words

	# Of --init=pri bash makes three words.
	if [[ $cur == '=' ]]; then
		cur=''
	elif [[ $prev == '=' ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ " $commands " != *" $word "* ]] || {
			command=$word
			break
		}
	done
	COMPREPLY=()
	if [[ $prev == --save || $prev == --costs ]]; then
		words=files
	elif words=$(_gmemstate_values "$prev"); then
		:
	elif [[ $cur == -* ]]; then
		words=$(_gmemstate_options "$command")
	else
		case $command in
		'') words=$commands ;;
		replay | report | dump) words=files ;;
		gen) words='snp-boot snp-lazy-accept tdx pkvm dpdk pieces' ;;
		help) words="$commands logs policies" ;;
		esac
	fi
	if [[ $words == files ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	fi
}

complete -F _gmemstate gmemstate
