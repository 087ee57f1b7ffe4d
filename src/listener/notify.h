/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * notify.h - notifying one listener
 */
#ifndef GMS_LISTENER_NOTIFY_H
#define GMS_LISTENER_NOTIFY_H

#include "granule.h"
#include "listener.h"

/*
 * Notifies a listener of granules. If it refuses, what it has done is undone: granules that it got
 * are withdrawn, granules that it gave up are restored. If it refuses that, too, all granules are
 * withdrawn, and notified->broken is set. Returns 0, or the error of the listener.
 */
int gms_listener_notify(struct gms_state *s, struct gms_listener *l,
			const struct gms_granules *granules, enum gms_shareability to,
			struct gms_notified *notified);

/* Withdraws granules. Returns false if the listener refuses some of them: it is stuck. */
bool gms_listener_withdraw(struct gms_state *s, struct gms_listener *l,
			   const struct gms_granules *granules);

/*
 * Withdraws granules up to the first that the listener refuses. Returns 0, or the error of the
 * listener; then *end is behind the last granule that was withdrawn, or 0 if there is none.
 */
int gms_listener_try_withdraw(struct gms_state *s, struct gms_listener *l,
			      const struct gms_granules *granules, gms_pgoff_t *end);

/*
 * Withdraws granules, and restores them if the listener refuses some. If it refuses that, too, all
 * granules are withdrawn. Returns 0 if the listener has none of them afterwards, else its error.
 */
int gms_listener_withdraw_or_restore(struct gms_state *s, struct gms_listener *l,
				     const struct gms_granules *granules);

#endif /* GMS_LISTENER_NOTIFY_H */
