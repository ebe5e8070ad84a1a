"""The public side: which endpoint a request is for, what fault it meets, and the log of it."""

import asyncio

import echo
from gandi import PREFIX
from httpd import Delivery, Response, text_response
from world import WRITES, BODY_LOGGED, Caller

# Faults that let the request be carried out and only spoil how the answer arrives.
SPOILED = {"truncate": Delivery.TRUNCATE, "drip": Delivery.DRIP, "slow": Delivery.WHOLE}


class Front:
    """The application behind the HTTP and the HTTPS port."""

    def __init__(self, world, gandi):
        self._world = world
        self._gandi = gandi
        self._late = set()

    def __call__(self, request):
        if request.path == PREFIX or request.path.startswith(PREFIX + "/"):
            return self._ask_gandi(request)
        operator = echo.operator_of(request.path)
        if operator:
            return self._ask_operator(request, operator)
        response = text_response(404, "no such endpoint")
        self._log(request, self._caller(request, "http"), "http", response.status)
        return response

    def cancel_late(self):
        """Forgets the late writes that have not happened yet."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()

    @staticmethod
    def _caller(request, name):
        return Caller(name, request.method, request.family, request.transport, request.peer,
                      request.connection)

    def _log(self, request, caller, counted, status, fault=None, **more):
        self._world.log.add(caller, counted, request.target, status, fault, **more)

    def _ask_operator(self, request, operator):
        caller = self._caller(request, operator)
        fault = self._world.faults.take(caller)
        address = self._world.wan.get(request.family)
        if fault and fault.mode == "wrong":
            address = fault.address
        if address is None:
            response = Response(0, delivery=Delivery.CLOSE)
        else:
            response = self._meet(fault, lambda: echo.answer(request, operator, address))
        self._log(request, caller, operator, response.status or None, fault)
        return response

    def _ask_gandi(self, request):
        caller = self._caller(request, "gandi")
        fault = self._world.faults.take(caller)
        if fault and fault.mode == "late":
            self._execute_later(request, caller, fault.seconds)
        response = self._meet(fault, lambda: self._gandi.answer(request))
        self._log(request, caller, f"gandi.{request.method}", response.status or None, fault,
                  **self._details(request))
        return response

    @staticmethod
    def _details(request):
        """What the log keeps of a request to Gandi: the scheme of its credential, not the rest."""
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        known = scheme if scheme.lower() in ("bearer", "apikey") else "other" if scheme else None
        body = request.body[:BODY_LOGGED].decode("utf-8", "replace")
        return {"auth": known, "body": body if body or request.method in WRITES else None}

    def _execute_later(self, request, caller, seconds):
        def execute():
            self._late.discard(handle)
            response = self._gandi.answer(request)
            self._log(request, caller, "gandi.late", response.status, late=True,
                      **self._details(request))

        handle = asyncio.get_running_loop().call_later(seconds, execute)
        self._late.add(handle)

    @staticmethod
    def _meet(fault, answer):
        """The response under a fault; status 0 where the client gets none."""
        if fault is None or fault.mode == "wrong":
            return answer()
        if fault.mode in ("close", "late"):
            return Response(0, delivery=Delivery.CLOSE)
        if fault.mode == "silent":
            return Response(0, delivery=Delivery.SILENT)
        if fault.mode == "answer":
            given = {name.lower() for name in fault.headers}
            kind = None if "content-type" in given else "text/html"
            return Response(fault.status, fault.body.encode(), kind, dict(fault.headers))
        response = answer()
        response.delivery = SPOILED[fault.mode]
        response.delay = fault.seconds if fault.mode == "slow" else 0
        response.pause = fault.seconds
        return response
