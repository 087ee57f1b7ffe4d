/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * notify.h - notifying one listener
 *
 * The listener's range bounds the granules of each notification.
 */
#ifndef GMS_LISTENER_NOTIFY_H
#define GMS_LISTENER_NOTIFY_H

#include "granule.h"
#include "listener.h"

/*
 * Notifies a listener of granules. If it refuses, what it has done is undone: granules that it
 * has mapped are withdrawn, and granules that it has unmapped are restored. If it refuses the
 * undo, too, notified->broken is set, and all granules are withdrawn, as far as it does not
 * refuse that. Returns 0, or the error of the listener.
 */
int gms_listener_notify(struct gms_state *s, struct gms_listener *l,
			const struct gms_granules *granules, enum gms_shareability to,
			struct gms_notified *notified);

/* Withdraws granules. Returns false if the listener refuses some of them; it is stuck then. */
bool gms_listener_withdraw(struct gms_state *s, struct gms_listener *l,
			   const struct gms_granules *granules);

/*
 * Withdraws granules up to the first that the listener refuses. *end is the first page behind the
 * last granule that was withdrawn, or 0 if there is none. Returns 0, or the error of the listener.
 */
int gms_listener_try_withdraw(struct gms_state *s, struct gms_listener *l,
			      const struct gms_granules *granules, gms_pgoff_t *end);

/*
 * Withdraws granules, and restores them if the listener refuses some. If it refuses to have them
 * restored, all granules are withdrawn once more. Returns 0 if the listener holds none of them
 * afterwards, else its error.
 */
int gms_listener_withdraw_or_restore(struct gms_state *s, struct gms_listener *l,
				     const struct gms_granules *granules);

#endif /* GMS_LISTENER_NOTIFY_H */
