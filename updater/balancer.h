/*
 * The addresses of the load balancer in front of the cluster (the Service
 * esddns-service), read from time to time: they are only shown.
 */
#ifndef UPDATER_BALANCER_H
#define UPDATER_BALANCER_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/kube.h"
#include "common/pollset.h"

struct balancer;

struct balancer *balancer_new(struct kube *kube);
void balancer_free(struct balancer *b);
void balancer_prepare(const struct balancer *b, struct pollset *set);
/* After http_dispatch(), once in a pass. */
void balancer_dispatch(struct balancer *b, int64_t now_ms);
/* "192.0.2.7", "192.0.2.7, lb.example.com"; "" if there is none. */
const char *balancer_addresses(const struct balancer *b);
/* The Service asks for a load balancer, and has got no address of one yet. */
bool balancer_pending(const struct balancer *b);

#endif
