// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_recording.c - reads a trace.dat with libtracecmd: see log_source.h
 *
 * A trace.dat has a buffer for each CPU, and may have more of them (trace-cmd record -B). Their
 * records are merged by time. A record becomes a line: that of trace-cmd report if it may be an
 * event of a log, else only the name of its event.
 *
 * libtracecmd trusts its files, and crashes on some that are cut. So a child process runs it, and
 * writes the lines to a pipe. A child that does not end well means a damaged file.
 */
#define _GNU_SOURCE /* pipe2 */
#include "log_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <trace-cmd.h>
#include <unistd.h>

/* The next record of one CPU in one buffer. */
struct recording_cpu {
	struct tracecmd_input *input;
	int cpu;
	struct tep_record *record;
};

/**
 * struct log_recording - a trace.dat that a child reads
 * @child: the child; 0: it has ended
 * @pipe: where its lines come from
 */
struct log_recording {
	pid_t child;
	int pipe;
};

/* Returns true if the event may be one of a log: the kernel's, a kprobe's, or QEMU's mark. */
static bool recording_is_wanted(const char *event)
{
	static const char *const wanted[] = {"kvm_vm_set_mem_attributes", "gmem_convert",
					     "gmem_fault", "print"};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		if (!strcmp(event, wanted[i]))
			return true;
	}
	return false;
}

static void recording_print(FILE *out, struct trace_seq *line, const struct recording_cpu *cpu)
{
	struct tep_handle *tep = tracecmd_get_tep(cpu->input);
	struct tep_event *event = tep_find_event_by_record(tep, cpu->record);

	if (cpu->record->missed_events > 0)
		fprintf(out, "CPU:%d [%lld EVENTS DROPPED]\n", cpu->cpu,
			cpu->record->missed_events);
	else if (cpu->record->missed_events)
		fprintf(out, "CPU:%d [EVENTS DROPPED]\n", cpu->cpu);
	trace_seq_reset(line);
	if (event && recording_is_wanted(event->name))
		tep_print_event(tep, line, cpu->record, "%s-%d [%03d] %6.1000d: %s: %s",
				TEP_PRINT_COMM, TEP_PRINT_PID, TEP_PRINT_CPU, TEP_PRINT_TIME,
				TEP_PRINT_NAME, TEP_PRINT_INFO);
	else if (event)
		trace_seq_puts(line, event->name);
	fwrite(line->buffer, 1, line->len, out);
	fputc('\n', out);
}

/* Prints the records of some CPUs, in the order of their times. */
static void recording_merge(FILE *out, struct recording_cpu *cpus, int nr_cpus)
{
	struct trace_seq line;

	trace_seq_init(&line);
	for (;;) {
		struct recording_cpu *next = NULL;

		for (int i = 0; i < nr_cpus; i++) {
			if (cpus[i].record && (!next || cpus[i].record->ts < next->record->ts))
				next = &cpus[i];
		}
		if (!next)
			break;
		recording_print(out, &line, next);
		tracecmd_free_record(next->record);
		next->record = tracecmd_read_data(next->input, next->cpu);
	}
	trace_seq_destroy(&line);
}

/*
 * Prints the records of all buffers. @cpus has room for @nr_cpus entries of each buffer. Returns
 * false on failure.
 */
static bool recording_convert_buffers(struct tracecmd_input *input, FILE *out,
				      struct recording_cpu *cpus, int nr_cpus)
{
	const int nr_more = tracecmd_buffer_instances(input);
	int nr = 0;

	for (int i = -1; i < nr_more; i++) {
		struct tracecmd_input *buffer =
			i < 0 ? input : tracecmd_buffer_instance_handle(input, i);

		if (!buffer)
			return false;
		for (int cpu = 0; cpu < nr_cpus; cpu++)
			cpus[nr++] = (struct recording_cpu) {buffer, cpu,
							     tracecmd_read_cpu_first(buffer, cpu)};
	}
	recording_merge(out, cpus, nr);
	for (int i = nr_cpus; i < nr; i += nr_cpus)
		tracecmd_close(cpus[i].input);
	return fflush(out) == 0;
}

/* Prints all records of a file. What a failure leaves allocated ends with the child. */
static bool recording_convert(int fd, FILE *out)
{
	struct tracecmd_input *input;
	struct recording_cpu *cpus;
	int nr_cpus, nr_more;
	bool good;

	tracecmd_set_loglevel(TEP_LOG_NONE);
	input = tracecmd_open_fd(fd,
				 TRACECMD_FL_LOAD_NO_PLUGINS | TRACECMD_FL_LOAD_NO_SYSTEM_PLUGINS);
	if (!input)
		return false;
	nr_cpus = tep_get_cpus(tracecmd_get_tep(input));
	nr_more = tracecmd_buffer_instances(input);
	if (nr_cpus <= 0 || nr_more < 0)
		return false;
	cpus = calloc((size_t)nr_more + 1, (size_t)nr_cpus * sizeof(*cpus));
	good = cpus && recording_convert_buffers(input, out, cpus, nr_cpus);
	free(cpus);
	tracecmd_close(input);
	return good;
}

/* The child. What libtracecmd prints about a damaged file is not wanted. */
static _Noreturn void recording_run_child(int fd, int pipe)
{
	const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	FILE *out = fdopen(pipe, "w");
	bool good;

	if (null >= 0)
		dup2(null, STDERR_FILENO);
	good = out && recording_convert(fd, out);
	if (out)
		fclose(out);
	_exit(good ? 0 : 1);
}

/* Waits for the child. Returns true if it ended well. */
static bool recording_wait(struct log_recording *reader)
{
	const pid_t child = reader->child;
	int status;

	reader->child = 0;
	if (!child)
		return true;
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void recording_close_reader(struct log_source *source)
{
	struct log_recording *reader = source->reader;

	close(reader->pipe); /* ends a child that still writes */
	recording_wait(reader);
	free(reader);
}

int log_recording_open(struct log_source *source)
{
	struct log_recording *reader;
	int ends[2], ret;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	reader = calloc(1, sizeof(*reader));
	if (reader)
		reader->child = fork();
	if (!reader || reader->child < 0) {
		ret = -errno;
		close(ends[0]);
		close(ends[1]);
		free(reader);
		return ret;
	}
	if (!reader->child) {
		free(reader);
		close(ends[0]);
		recording_run_child(source->fd, ends[1]);
	}
	close(ends[1]);
	reader->pipe = ends[0];
	source->reader = reader;
	source->close_reader = recording_close_reader;
	return 0;
}

ssize_t log_recording_read(void *context, char *buf, size_t size)
{
	struct log_source *source = context;
	struct log_recording *reader = source->reader;
	ssize_t nr = log_source_read_fd(reader->pipe, buf, size);

	if (nr || recording_wait(reader))
		return nr;
	snprintf(source->reason, sizeof(source->reason),
		 "trace.dat: libtracecmd cannot read it: damaged or cut?");
	errno = EPROTONOSUPPORT;
	return -1;
}
