"""Requests at the Service's pods, at a steady rate, as a node's kube-proxy would send them on.

The cluster has no kube-proxy. What it does is done here: a watch of the Service's Endpoints tells
which addresses are ready, and a new connection goes to one of them; never to one that is not.
"""

import http.client
import itertools
import json
import threading
import time

import webclient
from deployment import PAGE, SERVICE
from realcluster import ADMIN, NAMESPACE
from waiting import wait_for

WATCH = (f"/api/v1/namespaces/{NAMESPACE}/endpoints?watch=1&timeoutSeconds=600&"
         f"fieldSelector=metadata.name%3D{SERVICE}")
ANSWER_SECONDS = 5
PATHS = ("/", "/raw")


class Visitor:
    """A context manager; it asks from its beginning to its end."""

    def __init__(self, cluster, rate):
        self._cluster, self._rate = cluster, rate
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(work,), daemon=True)
                         for work in (self._follow, self._ask)]
        self._addresses = ()
        self._connection = None
        self.asked, self.failures, self.pods = 0, [], set()
        self.seconds = 0

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        wait_for(lambda: self.asked > self._rate or self.failures, "requests are answered")
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._threads[1].join()
        self._connection.sock.close()       # the watch waits for news there
        self._threads[0].join(ANSWER_SECONDS)

    def _guard(self, work):
        try:
            work()
        except (OSError, ValueError, http.client.HTTPException) as error:
            if not self._ended.is_set():
                self.failures.append(f"{work.__name__}: {error!r}")

    def _follow(self):
        with self._cluster.connected(seconds=600) as self._connection:
            self._connection.request("GET", WATCH, headers={"Authorization": f"Bearer {ADMIN}"})
            for line in self._connection.getresponse():
                ready = [address["ip"] for subset in json.loads(line)["object"].get("subsets", [])
                         for address in subset.get("addresses", [])]
                self._addresses = tuple(ready)
                self.pods.update(ready)
        if not self._ended.is_set():
            self.failures.append("the watch of the Endpoints ended")

    def _ask(self):
        with self._cluster.lan.entered():
            while not self._addresses and not self._ended.wait(0.01):
                pass
            started = time.monotonic()
            for number in itertools.count():
                if self._ended.wait(max(0, started + number / self._rate - time.monotonic())):
                    break
                self._ask_once(number)
            self.seconds = time.monotonic() - started

    def _ask_once(self, number):
        """One request. Where no address is ready a visitor meets a closed door: a failure."""
        addresses = self._addresses
        self.asked += 1
        if not addresses:
            self.failures.append((number, "no pod is ready"))
            return
        address = addresses[number % len(addresses)]
        try:
            answer = webclient.ask(PAGE, PATHS[number % len(PATHS)], host=address,
                                   timeout=ANSWER_SECONDS)
            if answer.status != 200:
                self.failures.append((number, address, answer.status))
        except (OSError, http.client.HTTPException) as error:
            self.failures.append((number, address, repr(error)))
