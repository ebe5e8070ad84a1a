"""STUN servers over UDP and TCP that answer with the simulated WAN address."""

import asyncio
import contextlib
import ipaddress
import socket
import struct

import stun
from world import Caller

IDLE_SECONDS = 30
# Cut to 17, 18 or 19 bytes, so that the attribute is padded with 3, 2 and 1 bytes in turn.
SOFTWARE = b"sandbox STUN server"


class StunServer:
    """One server: a name, and an answer to each request. Its sockets come from `start_*`."""

    def __init__(self, world, name):
        self._world = world
        self._name = name
        number = world.stun_names.index(name)
        self._software = SOFTWARE[:17 + number % 3]
        self._tcp = []
        self._udp = []
        self._tasks = set()

    async def start_tcp(self, sock):
        self._tcp.append(await asyncio.start_server(self._serve, sock=sock))

    async def start_udp(self, sock):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=sock)
        self._udp.append(transport)

    async def stop(self):
        for server in self._tcp:
            server.close()
        for transport in self._udp:
            transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, coroutine):
        """Runs something that outlives its caller, until it ends or the server stops."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def consider(self, data, about, local_port):
        """(bytes to answer or None, fault or None); the exchange is in the log afterwards."""
        caller = Caller(self._name, "Binding", **about)
        counter = f"{self._name}.{caller.transport}"
        try:
            transaction, unknown = stun.parse_request(data)
        except stun.Malformed as error:
            self._world.log.add(caller, f"{self._name}.invalid", status="dropped",
                                reason=str(error))
            return None, None
        fault = self._world.faults.take(caller)
        address = self._world.wan.get(caller.family)
        if fault and fault.mode == "wrong":
            address = fault.address
        if (fault and fault.mode in ("close", "silent")) or address is None:
            reply, status = None, "dropped"
        elif unknown:
            reply, status = self._refuse_unknown(transaction, unknown), 420
        else:
            port = int(caller.peer.rpartition(":")[2])
            reply, status = self._reply(transaction, address, port, fault, local_port)
        self._world.log.add(caller, counter, status=status, fault=fault,
                            id=transaction.hex())
        return reply, fault

    def _refuse_unknown(self, transaction, unknown):
        value = struct.pack(f"!{len(unknown)}H", *unknown)
        return stun.encode_error(transaction, 420, self._software,
                                 [(stun.UNKNOWN_ATTRIBUTES, value)])

    def _reply(self, transaction, address, port, fault, local_port):
        """(message, status): a success, unless the fault says otherwise."""
        mode = fault.mode if fault else None
        if mode == "raw":
            return bytes.fromhex(fault.hex.replace("{id}", transaction.hex())), "raw"
        if mode == "error":
            more = []
            if fault.code == 300:
                server = ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1")
                more = [(stun.ALTERNATE_SERVER, stun.encode_address(server, local_port))]
            return stun.encode_error(transaction, fault.code, self._software, more), fault.code
        if mode == "wrong-id":
            transaction = bytes(b ^ 0xFF for b in transaction)
        mapped = (stun.MAPPED_ADDRESS, stun.encode_address(address, port))
        if mode != "mapped-only":
            mapped = (stun.XOR_MAPPED_ADDRESS,
                      stun.encode_xor_address(address, port, transaction))
        message = stun.encode_message(stun.BINDING_SUCCESS, transaction,
                                      [(stun.SOFTWARE, self._software), mapped])
        return message[:-12] if mode == "truncate" else message, "success"

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _exchange(self, reader, writer):
        """Requests of one TCP connection, until one is not answered in full."""
        about = describe_peer(writer.get_extra_info("socket"), writer.get_extra_info("peername"))
        about |= {"transport": "tcp", "connection": self._world.new_connection()}
        local_port = writer.get_extra_info("sockname")[1]
        whole = True
        while whole:
            async with asyncio.timeout(IDLE_SECONDS):
                data = await read_message(reader)
            reply, fault = self.consider(data, about, local_port)
            whole = reply is not None and not (fault and fault.mode == "truncate")
            if fault and fault.mode == "silent":
                while await reader.read(4096):
                    pass
            if reply:
                await send(writer, reply, fault)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def describe_peer(sock, peer):
    if sock.family == socket.AF_INET6:
        return {"family": "ipv6", "peer": f"[{peer[0]}]:{peer[1]}"}
    return {"family": "ipv4", "peer": f"{peer[0]}:{peer[1]}"}


async def read_message(reader):
    """One message off a stream; what cannot be one is returned as far as it was read."""
    data = await reader.readexactly(stun.HEADER.size)
    with contextlib.suppress(stun.Malformed):
        _, length, _ = stun.parse_header(data)
        if length <= stun.MESSAGE_MAX:
            data += await reader.readexactly(length)
    return data


async def send(writer, reply, fault):
    if fault and fault.mode == "slow":
        await asyncio.sleep(fault.seconds)
    if fault and fault.mode == "drip":
        for i in range(len(reply)):
            writer.write(reply[i:i + 1])
            await writer.drain()
            await asyncio.sleep(fault.seconds)
    else:
        writer.write(reply)
        await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    """One UDP socket. A datagram cannot drip: that fault only makes it late."""

    def __init__(self, server):
        self._server = server
        self._transport = None

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, peer):
        about = describe_peer(self._transport.get_extra_info("socket"), peer)
        about["transport"] = "udp"
        local_port = self._transport.get_extra_info("sockname")[1]
        reply, fault = self._server.consider(data, about, local_port)
        if reply is None:
            return
        if fault and fault.mode in ("slow", "drip"):
            self._server.spawn(self._send_later(reply, peer, fault.seconds))
        else:
            self._transport.sendto(reply, peer)

    async def _send_later(self, reply, peer, seconds):
        await asyncio.sleep(seconds)
        self._transport.sendto(reply, peer)
