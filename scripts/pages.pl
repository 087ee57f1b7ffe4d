#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# pages.pl: makes man pages from what kernel-doc reads in the headers. scripts/man runs it.
#
#	pages.pl clean HEADER			prints the header as kernel-doc has to see it
#	pages.pl write DIR DATE HEADER...	writes the pages, and complains of comments
#
# The second form takes the output of `kernel-doc -rst -sphinx-version 3.0` for HEADER.h from
# HEADER.rst. That output keeps the indentation of the comments, and the output of -man does not.
# Pages are
#
#	NAME.3		for each function
#	NAME.3type	for each struct and enum
#	gmemstate-*.7	for each header: its opening comment, and lists of what it declares
#
# kernel-doc itself warns of parameters and members that are not described, of parameters that do
# not exist, and of functions without Return:. This script complains of
#
#	- a function without a comment, or whose comment begins otherwise than "name() - summary"
#	- a function without Context:, and one that returns nothing with Return:
#	- a function that returns int, and does not name an -errno in Return:
#	- an empty description; a member that does not exist
use strict;
use warnings;

my %pages;	# what each name stands for, by name and kind: a function, struct, enum or macro
my %headers;	# what is known of each header, by name without .h
my @order;	# the names of the headers
my $bad = 0;

sub complain {
	my ($header, $name, $what) = @_;
	print STDERR "include/gmemstate/$header.h: $name: $what\n";
	$bad = 1;
}

sub slurp {
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!\n";
	local $/;
	return <$in> // q();
}

# Marks of what kernel-doc would take for markup in the text of a comment: it changes these
# characters in code, too. The lines keep their numbers.
my %mark = ('@' => "\x01", '&' => "\x02", '%' => "\x03", '()' => "\x04", '`' => "\x05",
	    '$' => "\x06");
my %unmark = reverse %mark;

sub mark {
	my ($text) = @_;
	my $of = join '|', map { quotemeta } keys %mark;
	$text =~ s{($of)}{$mark{$1}}g;
	# what names the subject, or a parameter, stays as it is
	$text =~ s{^(/\*\*\n \* \w+)\x04}{$1()};
	$text =~ s{^( \* )\x01(\w+:)}{$1\@$2}mg;
	return $text;
}

sub unmark {
	my ($text) = @_;
	$text =~ s{([\x01-\x06])}{$unmark{$1}}g;
	return $text;
}

# Prints a header without annotations, and with marks.
sub clean {
	my ($text) = @_;
	$text =~ s{^GMS_API }{}mg;
	$text =~ s{(\s+)GMS_[A-Z_]+\([^()]*\)(?=[^{}]*?;)}{$1 =~ tr/\n//cdr}eg
		while $text =~ m{^[a-z].*\)\s+GMS_[A-Z_]+\(}m;
	$text =~ s{^/\*\*\n.*?\*/}{mark($&)}gmse;
	print $text;
}

# ---- reading

# Splits the opening comment of a header: sets brief, its first sentence, and top, the rest.
sub read_top {
	my ($h, $text) = @_;
	$text =~ m{^/\*\n((?: \*.*\n)+?) \*/}m or die "$h->{name}.h: has no opening comment\n";
	my $top = $1;
	$top =~ s{^ \* ?}{}mg;
	$top =~ s{^gmemstate/\S+ - (.*?)(?:\n\n|\z)}{}s or
		die "$h->{name}.h: the opening comment begins otherwise than \"file - summary\"\n";
	($h->{brief} = $1) =~ s{\s+}{ }g;
	$top = untab($top, 3);
	$h->{usage} = take_usage(\$top);
	$h->{top} = $top;
}

# Reads what one line of comment describes: macros, and the typedef of a basic type.
sub read_short {
	my ($h, $text) = @_;
	while ($text =~ m{^/\*\* (typedef )?(\w+) - (.*?) \*/$}mg) {
		push @{$h->{entries}}, {kind => $1 ? 'typedef' : 'macro', name => $2, purpose => $3,
					params => [], text => {}, at => $-[0]};
	}
}

# Reads one entry of kernel-doc's output: its head has the kind and the declaration.
sub read_entry {
	my ($h, $kind, $decl, $text) = @_;
	my %entry = (kind => $kind, decl => $decl, params => [], text => {});
	($entry{name}) = $kind eq 'function' ? $decl =~ m{(\w+) \(} : $decl =~ m{^(\w+)};
	$text =~ s{\A\n*``(.*)``\n}{} and $entry{decl} = $1;
	$entry{kind} = 'function' if $entry{name} =~ m{^[a-z]} && $kind eq 'macro';
	$text =~ s{^\*\*Definition\*\*\n\n::\n\n.*?^\n(?=\*\*)}{}ms;
	my @parts = split m{^\*\*(\w+)\*\*$}m, $text;
	($entry{purpose} = shift @parts) =~ s{^\s+|\s+$}{}g;
	while (my ($title, $body) = splice @parts, 0, 2) {
		if ($title !~ m{^(Parameters|Members|Constants)$}) {
			$body =~ s{\A\n+|\s+\z}{}g;
			$entry{text}{$title} = $body;
			next;
		}
		my @params = split m{^``(.*)``$}m, $body;
		shift @params;
		while (my ($name, $about) = splice @params, 0, 2) {
			$name =~ s{^.*?(\w+)(?:\[.*|\)\s*\(.*)?$}{$1}s;
			$about =~ s{^  }{}mg;
			$about =~ s{\A\n+|\s+\z}{}g;
			push @{$entry{params}}, [$name, $about] unless $name eq 'void';
		}
	}
	push @{$h->{entries}}, \%entry;
}

sub read_header {
	my ($file) = @_;
	my ($name) = $file =~ m{([^/]+)\.h$};
	my $h = $headers{$name} = {name => $name, text => slurp($file), entries => []};
	push @order, $name;
	read_top($h, $h->{text});
	read_short($h, $h->{text});
	my @parts = split m{^\.\. c:(\w+):: (.*)$}m, unmark(slurp($file =~ s{h$}{rst}r));
	shift @parts;
	while (my ($kind, $decl, $text) = splice @parts, 0, 3) {
		read_entry($h, $kind, $decl, $text);
	}
	for my $e (@{$h->{entries}}) {
		$e->{header} = $name;
		my $word = $e->{kind} =~ m{^(struct|enum)$} ? "$1 " : '';
		$e->{at} //= $h->{text} =~ m{^ \* $word$e->{name}(?:\(\))? - }m ? $-[0] : 0;
		$pages{$e->{name}}{$e->{kind}} = $e;
	}
	@{$h->{entries}} = sort { $a->{at} <=> $b->{at} } @{$h->{entries}};
}

# ---- checking

sub check_function {
	my ($h, $e) = @_;
	my ($context, $return) = @{$e->{text}}{qw(Context Return)};
	my $complain = sub { complain($h->{name}, $e->{name}, @_) };

	$h->{text} =~ m{^ \* $e->{name}\(\) - \S}m or
		$complain->("the comment begins otherwise than \"$e->{name}() - summary\"");
	($context // '') =~ m{[A-Za-z]} or $complain->('has no Context:');
	if ($e->{decl} =~ m{^void \w}) {
		!defined $return or $complain->('has a Return:, but returns nothing');
	} elsif ($e->{decl} =~ m{^int \w}) {
		($return // '') =~ m{-E[A-Z]} or $complain->('names no -errno in its Return:');
	} elsif (defined $return) {
		$return =~ m{[A-Za-z0-9]} or $complain->('has an empty Return:');
	}
}

sub check_header {
	my ($h) = @_;
	my %found = map { $_->{name} => 1 } @{$h->{entries}};
	for my $e (@{$h->{entries}}) {
		check_function($h, $e) if $e->{kind} eq 'function';
		my %params = map { @$_ } @{$e->{params}};
		$params{$_} =~ m{[A-Za-z0-9]} or
			complain($h->{name}, $e->{name}, "does not describe \@$_") for keys %params;
		my ($doc) = substr($h->{text}, $e->{at}) =~ m{^(.*?)\*/}s;
		while ($doc =~ m{^ \* @(\w+):}mg) {
			exists $params{$1} or complain($h->{name}, $e->{name},
						       "describes \@$1, which does not exist");
		}
	}
	while ($h->{text} =~ m{^(?:GMS_API|static inline) [^(]*?(\w+)\(}mg) {
		$found{$1} or complain($h->{name}, $1, 'has no kernel-doc comment');
	}
}

# ---- writing

# Makes the first letter a capital, if it begins a word of prose.
sub capital { my ($text) = @_; return $text =~ s{\A([a-z])(?=[a-z'-]*(?:[ ,:;.]|\z))}{\u$1}r; }

# Prepares text for roff: marks names, and escapes what is special.
sub inline {
	my ($text) = @_;
	$text =~ s{\\}{\\e}g;
	$text =~ s{\^}{\\(ha}g;
	$text =~ s{~}{\\(ti}g;
	$text =~ s{(?<![\w-])-(E[A-Z]{2,})\b}{\\fB\\-$1\\fP}g;
	$text =~ s{(?<![\w-])-(errno|D\w+)}{\\-$1}g;
	$text =~ s{@(\w+(?:->\w+)*)}{\\fI$1\\fP}g;
	$text =~ s{\b(GMS_[A-Z][A-Z0-9_]*+)(?!\(\))}{\\fB$1\\fP}g;
	$text =~ s{\b(struct|enum) (\w+)}{\\fI$1 $2\\fP}g;
	$text =~ s{\b(\w+)\(\)}{"\\fB$1\\fP" . ($pages{$1}{function} ? '(3)' : '()')}eg;
	$text =~ s{(?<![\w/.])(\w+)\.h\b}{$headers{$1} ? header_page($1) : $&}eg;
	$text =~ s{^(?=[.'])}{\\&}mg;
	return $text;
}

# The name of the page of a header, in a text.
sub header_page { my ($header) = @_; return '\\fB' . overview($header) =~ s{-}{\\-}r . '\\fP(7)'; }

# Prepares code for roff.
sub code {
	my ($text) = @_;
	$text =~ s{\\}{\\e}g;
	$text =~ s{-}{\\-}g;
	$text =~ s{\^}{\\(ha}g;
	$text =~ s{~}{\\(ti}g;
	$text =~ s{'}{\\(aq}g;
	$text =~ s{`}{\\(ga}g;
	$text =~ s{^(?=\.)}{\\&}mg;
	return $text;
}

# Turns tabs into spaces, as they were after the first $skip columns of a line.
sub untab {
	my ($text, $skip) = @_;
	$text = join "\n", map {
		my $line = (' ' x $skip) . $_;
		1 while $line =~ s{^([^\t]*)\t}{$1 . ' ' x (8 - length($1) % 8)}e;
		substr $line, $skip;
	} split m{\n}, $text, -1;
	return $text;
}

# Prints a table of two columns as a list. Returns nothing if the text is no such table.
sub two_columns {
	my ($text) = @_;
	my ($tag, $gap) = $text =~ m{\A(\S(?:\S| (?! ))*)( {2,})} or return;
	my $column = length "$tag$gap";
	my $out = '';
	for my $line (split m{\n}, $text) {
		my $first = substr $line, 0, $column, '';
		$first =~ s{ +$}{};
		return if $first =~ m{^ +\S|  } || $line !~ m{^\S} || $line =~ m{  };
		$out .= ".TP\n.B " . code($first) . "\n" if $first ne '';
		$out .= inline($line) . "\n";
	}
	return $out;
}

# Prints code, or a table, as it is. A page is narrower than a source, so in code the indents are
# halved. A line that is aligned with the one before it moves with that line.
sub verbatim {
	my ($text) = @_;
	my ($margin) = sort { $a <=> $b } map { m{^( *)\S} ? length $1 : () } split m{\n}, $text;
	$text =~ s{^ {$margin}}{}mg;
	my $list = two_columns($text);
	return $list if defined $list;
	if ($text =~ m{;$}m && $text !~ m{^\S.* {3}}m) {
		my $cut = 0;
		$text =~ s{^( *)(?=\S)}{
			$cut = length($1) / 2 if length($1) % 8 == 0;
			' ' x (length($1) - $cut)
		}emg;
	}
	return ".PP\n.in +2n\n.nf\n" . code($text) . "\n.fi\n.in\n";
}

# An item of a list begins with a number, a dash, or a word or two before two spaces.
my $item = qr{^ *(\d+\.|-) +(?=\S)|^ {1,2}(\S(?:\S| (?! ))*) {2,}(?=\S)};

# Prints one block: a paragraph, or items of a list.
sub block {
	my ($text, $in_list) = @_;
	my $out = '';
	my $tag = 0;
	my $is_list = $text =~ m{\A$item};
	for my $line (split m{\n}, $text) {
		if ($is_list && $line =~ s{$item}{}) {
			$tag = $1 // $2;
			$out .= $tag eq '-' ? ".IP \\(bu 3\n" :
				$tag =~ m{^\d} ? ".IP $tag 4\n" : ".TP\n.B $tag\n";
		} elsif ($out eq '') {
			$out .= $$in_list && $line =~ m{^ } ? ".IP\n" : ".PP\n";
		}
		$line =~ s{^\s+}{};
		$out .= inline($line) . "\n";
	}
	$$in_list = $tag || $out =~ m{^\.IP\n};
	return $out;
}

# Prints text with paragraphs, lists, and code, which is indented by four columns or more.
sub body {
	my ($text) = @_;
	my $out = '';
	my $in_list = 0;
	my @blocks = split m{\n\s*\n}, $text;
	while (defined(my $block = shift @blocks)) {
		if ($block !~ m{^ {4}}) {
			$out .= block($block, \$in_list);
			next;
		}
		$block .= "\n\n" . shift @blocks while @blocks && $blocks[0] =~ m{^ {4}};
		$out .= verbatim($block);
	}
	return $out =~ s{^\.PP\n}{}r;
}

# Takes the examples out of a text: a paragraph that begins with "Usage", and the code after it.
sub take_usage {
	my ($text) = @_;
	my $usage = '';
	$$text =~ s{^(Usage\b.*?\n\n(?:(?: {4}[^\n]*)?\n)*(?: {4}[^\n]*)?)(?:\n|\z)}{$usage .= $1; ''}emsg;
	$usage =~ s{\AUsage[:.](?: +|\n+)}{};
	$usage =~ s{\A([a-z])}{\u$1};
	$$text =~ s{\s+\z}{};
	return $usage;
}

sub section { my ($title, $text) = @_; return $text =~ m{\S} ? ".SH $title\n$text" : ''; }

sub overview { my ($header) = @_; return $header eq 'gmemstate' ? $header : "gmemstate-$header"; }

# Breaks a declaration between parameters, and makes parameters italic. Prints lines for .nf.
sub declaration {
	my ($decl, $indent, %params) = @_;
	my ($head, $list, $tail) = $decl =~ m{^(.*?\()(?!\*)(.*)(\).*)$}s or
		return "\\fB" . code($decl) . "\\fR\n";
	my @words = split m{, }, $list;
	my $deep = length($head) > 44 ? $indent + 8 : length $head;
	my ($out, $column) = ('', length $head);
	while (defined(my $word = shift @words)) {
		$word .= @words ? ',' : $tail;
		if ($column + length($word) > 70 && $out ne '') {
			$out .= "\n" . ' ' x $deep;
			$column = $deep;
		} elsif ($out ne '') {
			$out .= ' ';
			++$column;
		}
		$column += length $word;
		$out .= $word;
	}
	$out = code($head . $out);
	$out =~ s{\b(\w+)(?=[,)]|\[)}{$params{$1} ? "\\fI$1\\fB" : $1}eg;
	return join '', map { s{^( *)}{$1\\fB}r . "\\fR\n" } split m{\n}, $out;
}

sub include { my ($header) = @_; return "\\fB#include <gmemstate/$header.h>\\fP\n"; }

# Prints descriptions of parameters, members or constants.
sub params {
	my ($e, $font) = @_;
	return join '', map {
		my $text = body(capital($_->[1]));
		$text =~ s{^\.PP\n}{.IP\n}mg;
		".TP\n.$font $_->[0]\n$text" =~ s{(?<![.:])\n\z}{.\n}r;
	} @{$e->{params}};
}

# Prints a Return: with a list of errors: each begins after a semicolon.
sub errors {
	my ($text) = @_;
	$text =~ s{\s+}{ }g;
	my @items = split m{; (?=-E|also -E|what |the other )}, $text;
	my ($last, $after) = $items[-1] =~ m{^(.*?\.) ([A-Z].*)$};
	$items[-1] = $last if defined $after;
	my $out = '';
	for my $item (@items) {
		my ($tag, $about) = $item =~ m{^(0|(?:also )?-E\w+(?:, -E\w+)*)(?:[:,] | |(?=\.?$))(.*)$};
		if (!defined $tag && $item !~ m{^(?:what|the other) }) {
			$out .= inline(ucfirst $item) . ".\n";
			next;
		}
		($tag, $about) = ('other', $item) unless defined $tag;
		$tag =~ s{^also }{};
		$about =~ s{\.$}{};
		$about = 'success' if $tag eq '0' && $about eq '';
		$about =~ s{^}{success, } if $tag eq '0' && $about =~ m{^also};
		$about =~ s{^}{there is not enough memory; } if $tag eq '-ENOMEM' && $about =~ m{^also};
		$about =~ s{^frozen\b}{the object is frozen};
		$about = 'there is not enough memory' if $tag eq '-ENOMEM' && $about eq '';
		$tag = $tag eq 'other' ? ".I other" : '.B ' . $tag =~ s{-}{\\-}gr;
		$out .= ".TP\n$tag\n" . inline(capital($about)) . ".\n";
	}
	$out .= ".PP\n" . inline($after) . "\n" if defined $after;
	return fold($out);
}

# Breaks long lines of roff at spaces.
sub fold {
	my ($text) = @_;
	return join '', map {
		my $line = $_;
		my $out = '';
		$out .= "$1\n" while length $line > 99 && $line =~ s{^(.{1,98}) }{};
		"$out$line\n";
	} split m{\n}, $text;
}

sub return_value {
	my ($e) = @_;
	my $text = $e->{text}{Return} // return '';
	return errors($text) if $e->{decl} =~ m{^int \w} && $text =~ m{^0|^as for};
	return body(capital($text));
}

sub ref_to { my ($name, $section) = @_; return '.BR ' . $name =~ s{-}{\\-}gr . " $section"; }

sub see_also {
	my ($self, @pages) = @_;
	my %seen = ($self => 1);
	@pages = grep { !$seen{$_}++ } @pages;
	return join(",\n", map { m{^(.*)(\(.*\))$} and ref_to($1, $2) } @pages) . "\n";
}

# The pages of the types that a declaration names.
sub types_in {
	my ($decl) = @_;
	return map { "$_(3type)" } grep { $pages{$_}{struct} || $pages{$_}{enum} }
		$decl =~ m{\b(?:struct|enum) (\w+)}g;
}

sub functions { my ($h) = @_; return grep { $_->{kind} eq 'function' } @{$h->{entries}}; }
sub types { my ($h) = @_; return grep { $_->{kind} =~ m{struct|enum} } @{$h->{entries}}; }
sub typedefs { my ($h) = @_; return grep { $_->{kind} eq 'typedef' } @{$h->{entries}}; }
sub macros { my ($h) = @_; return grep { $_->{kind} eq 'macro' } @{$h->{entries}}; }

my ($dir, $date, $version);

sub page {
	my ($name, $section, $header, @parts) = @_;
	open my $out, '>', "$dir/$name.$section" or die "$dir/$name.$section: $!\n";
	print $out ".\\\" SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause\n",
		".\\\" Made by scripts/man from include/gmemstate/$header.h. Do not edit it.\n",
		".TH $name $section $date \"gmemstate $version\" \"gmemstate manual\"\n",
		".nh\n.ad l\n", @parts;
	close $out or die "$dir/$name.$section: $!\n";
}

sub name_section {
	my ($name, $brief) = @_;
	return section('NAME', "$name \\- " . inline($brief) =~ s{\\f.}{}gr . "\n");
}

sub library {
	my ($header) = @_;
	my $name = $header eq 'kvm' ? 'gmemstate_kvm' : 'gmemstate';
	return section('LIBRARY', "lib$name (\\fB\\-l$name\\fP)\n");
}

sub function_page {
	my ($e) = @_;
	my $h = $headers{$e->{header}};
	my $text = $e->{text}{Description} // '';
	my $usage = take_usage(\$text) || ($h->{usage} =~ m{\b$e->{name}\(} ? $h->{usage} : '');
	my $decl = $e->{decl} =~ s{(\w) \(}{$1(}r;
	my @on_errors = ($e->{text}{Return} // '') =~ m{-E} ? qw(gms_strerror(3) gms_reason(3)) : ();
	page($e->{name}, 3, $e->{header},
		name_section($e->{name}, $e->{purpose}),
		library($e->{header}),
		section('SYNOPSIS', ".nf\n" . include($e->{header}) . ".PP\n" .
			declaration("$decl;", 0, map { $_->[0] => 1 } @{$e->{params}}) . ".fi\n"),
		section('PARAMETERS', params($e, 'I')),
		section('DESCRIPTION', body($text)),
		section('CONTEXT', body($e->{text}{Context})),
		section('"RETURN VALUE"', return_value($e)),
		section('EXAMPLES', body($usage)),
		section('"SEE ALSO"', see_also("$e->{name}(3)", (map { "$_->{name}(3)" } functions($h)),
			types_in($decl), @on_errors, 'gmemstate(1)', 'gmemstate(7)',
			overview($h->{name}) . '(7)')));
}

# The definition of a struct or enum, as it is in its header. Long lines are broken.
sub definition {
	my ($e) = @_;
	$headers{$e->{header}}{text} =~ m{^$e->{kind} $e->{name} \{.*?\};$}ms or
		die "$e->{header}.h: found no $e->{kind} $e->{name}\n";
	my $text = untab($&, 0) =~ s{^ {8}(?=\S)}{    }mgr;
	$text =~ s{,\n +}{, }g if $e->{kind} eq 'struct';
	if ($text =~ m{^(enum \w+ \{) (.*) \};$}) {
		my ($head, $list) = ($1, $2);
		$text = "$head\n    " . $list =~ s{, }{,\n    }gr . "\n};";
	}
	return join '', map {
		length($_) > 70 ? declaration($_, 4) : "\\fB" . code($_) . "\\fR\n"
	} split m{\n}, $text;
}

sub type_page {
	my ($e) = @_;
	my $h = $headers{$e->{header}};
	my $named = qr{\b$e->{kind} $e->{name}\b};
	my @users = map { "$_->{name}(3)" } grep { $_->{decl} =~ $named }
		map { functions($headers{$_}) } @order;
	push @users, map { "$_->{name}(3type)" } grep { definition($_) =~ $named && $_ != $e }
		map { types($headers{$_}) } @order;
	page($e->{name}, '3type', $e->{header},
		name_section($e->{name}, $e->{purpose}),
		library($e->{header}),
		section('SYNOPSIS', ".nf\n" . include($e->{header}) . ".PP\n" . definition($e) . ".fi\n"),
		section($e->{kind} eq 'enum' ? 'CONSTANTS' : 'MEMBERS', params($e, 'B')),
		section('DESCRIPTION', body($e->{text}{Description} // '')),
		section('"SEE ALSO"', see_also('', @users, 'gmemstate(1)', 'gmemstate(7)',
			overview($h->{name}) . '(7)')));
}

sub macro_item {
	my ($e) = @_;
	my $list = join ', ', map { $_->[0] } @{$e->{params}};
	my $text = ucfirst($e->{purpose}) . ".\n\n" . ($e->{text}{Description} // '');
	return ".TP\n.B $e->{name}" . ($list eq '' ? '' : "($list)") . "\n" .
		body($text) =~ s{^\.PP$}{.IP}mgr;
}

sub index_item {
	my ($e, $section) = @_;
	return ".TP\n.BR $e->{name} ($section)\n" . inline(ucfirst $e->{purpose}) . ".\n";
}

sub overview_page {
	my ($h) = @_;
	my @headers = $h->{name} eq 'gmemstate' ? grep { $_ ne 'gmemstate' } @order : ();
	page(overview($h->{name}), 7, $h->{name},
		name_section(overview($h->{name}), $h->{brief}),
		library($h->{name}),
		section('SYNOPSIS', include($h->{name})),
		section('DESCRIPTION', body($h->{top})),
		section('HEADERS', join '', map {
			".TP\n" . ref_to(overview($_), '(7)') . "\n" .
				inline(ucfirst $headers{$_}{brief}) . ".\n"
		} @headers),
		section('FUNCTIONS', join '', map { index_item($_, 3) } functions($h)),
		section('TYPES', join '', (map { macro_item($_) } typedefs($h)),
			map { index_item($_, '3type') } types($h)),
		section('MACROS', join '', map { macro_item($_) } macros($h)),
		section('EXAMPLES', body($h->{usage})),
		section('"SEE ALSO"', see_also(overview($h->{name}) . '(7)', 'gmemstate(1)', 'gmemstate(7)',
			map { overview($_) . '(7)' } grep { $headers{$_} } $h->{top} =~ m{(?<![\w/.])(\w+)\.h\b}g)));
}

# ----

my $what = shift // '';
if ($what eq 'clean' && @ARGV == 1) {
	clean(slurp($ARGV[0]));
	exit 0;
}
die "usage: see the head of $0\n" unless $what eq 'write' && @ARGV > 2;
($dir, $date) = splice @ARGV, 0, 2;
read_header($_) for @ARGV;
$version = join '.', map { $headers{version}{text} =~ m{^#define GMS_VERSION_$_ (\d+)$}m }
	qw(MAJOR MINOR PATCH);
check_header($headers{$_}) for @order;
exit 1 if $bad;
for my $h (@headers{@order}) {
	function_page($_) for functions($h);
	type_page($_) for types($h);
	overview_page($h);
}
