// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * 02_fault.c - answer page faults of the guest and of the host
 *
 * The guest has 4 GiB of private memory, in folios of 2M. A VMM can map a page at two times:
 *
 *  - between gms_fault_begin() and gms_fault_end(), when the page cannot be converted. The example
 *    answers faults of the guest like this;
 *  - later, under the lock of the page tables, if gms_seq_retry() returns false: no page of the
 *    shard was converted since gms_fault_begin(). The example answers faults of the host like
 *    this, and KVM does it, too.
 *
 * In this example a mapping is a line of output.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <gmemstate/order.h>
#include <gmemstate/state.h>

static pthread_mutex_t page_tables = PTHREAD_MUTEX_INITIALIZER;

static void map(const char *side, gms_pgoff_t index, unsigned int order)
{
	printf("  %s: %#" PRIx64 " is mapped, with 2^%u pages from %#" PRIx64 "\n", side, index,
	       order, gms_order_down(index, order));
}

/* Unmaps pages from the host. A conversion to private calls this hook. */
static int unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)ctx;
	pthread_mutex_lock(&page_tables);
	printf("  host: nothing is mapped in the %" PRIu64 " pages from %#" PRIx64 "\n", nr_pages,
	       start);
	pthread_mutex_unlock(&page_tables);
	return 0;
}

/* Answers a fault of the guest, which may map any page. Prepares a private page first. */
static int guest_fault(struct gms_state *state, gms_pgoff_t index)
{
	struct gms_fault fault;
	int rc;

	rc = gms_fault_begin(state, index, GMS_GUEST, &fault);
	if (rc)
		return rc;
	printf("  guest: %#" PRIx64 " is in %s folio of 2^%u pages, %s\n", index,
	       fault.fresh ? "a new" : "an old", fault.folio_order,
	       fault.prepared ? "prepared" : "not prepared");
	if (!fault.prepared)
		rc = gms_fault_prepare(state, &fault);
	if (!rc)
		map("guest", index, fault.max_order);
	gms_fault_end(state, &fault);
	return rc;
}

/*
 * Answers a fault of the host, which may map shared pages only. @meanwhile stands for another
 * thread that runs between the fault and the mapping.
 */
static int host_fault(struct gms_state *state, gms_pgoff_t index,
		      void (*meanwhile)(struct gms_state *state, gms_pgoff_t index))
{
	struct gms_fault fault;
	bool again;
	int rc;

	do {
		rc = gms_fault_begin(state, index, GMS_HOST, &fault);
		if (rc)
			return rc;
		gms_fault_end(state, &fault);

		/* The page may become private here: the mapping below must not be made then. */
		if (meanwhile)
			meanwhile(state, index);

		pthread_mutex_lock(&page_tables);
		again = gms_seq_retry(state, index, fault.seq);
		if (!again)
			map("host", index, fault.max_order);
		pthread_mutex_unlock(&page_tables);
		if (again)
			printf("  host: %#" PRIx64 " may have changed, once more\n", index);
	} while (again);
	return 0;
}

/* Makes a page private again, as the guest would. */
static void take_back(struct gms_state *state, gms_pgoff_t index)
{
	if (gms_convert(state, index, 1, GMS_PRIVATE, 0, NULL))
		printf("  guest: cannot make %#" PRIx64 " private\n", index);
}

static int run(struct gms_state *state)
{
	const gms_pgoff_t page = 0x12345;
	int rc;

	printf("The guest touches a page, and another one in the same 2M:\n");
	rc = guest_fault(state, page);
	if (!rc)
		rc = guest_fault(state, page + 1);
	if (rc)
		return rc;

	/* The page is private, so the host must not map it. A VMM raises SIGBUS. */
	printf("The host touches it: %s\n", strerror(-host_fault(state, page, NULL)));

	printf("The guest shares 16 pages, and both touch the first:\n");
	rc = gms_convert(state, page, 16, GMS_SHARED, 0, NULL);
	if (!rc)
		rc = guest_fault(state, page);
	if (!rc)
		rc = host_fault(state, page, NULL);
	if (rc)
		return rc;

	printf("The host touches the second while the guest makes it private:\n");
	rc = host_fault(state, page + 1, take_back);
	printf("  host: %s\n", strerror(-rc));
	return 0;
}

int main(void)
{
	struct gms_backend_ops backend = {
		.struct_size = sizeof(backend),
		.unmap_host = unmap_host,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	int rc;

	opts.nr_pages = (4ULL << 30) >> GMS_PAGE_SHIFT;
	opts.flags = GMS_INIT_PRIVATE;
	opts.folio_order = GMS_ORDER_2M;
	opts.backend = &backend;
	rc = gms_state_create(&opts, &state);
	if (!rc) {
		rc = run(state);
		gms_state_destroy(state);
	}
	if (rc)
		fprintf(stderr, "02_fault: %s\n", strerror(-rc));
	return rc ? 1 : 0;
}
