"""A name server of the tests: silent, or it answers every question for an A record alike."""

import select
import socket
import struct
import threading

HEADER = struct.Struct("!HHHHHH")


class NameServer:
    """Answers on UDP port 53 of an address while `address` is set, else it is silent."""

    def __init__(self, host, address=None):
        self.address = address
        self.questions = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 53))
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end.close()
        self._thread.join()
        self._ended.close()
        self._socket.close()

    def _serve(self):
        while True:
            ready, _, _ = select.select([self._socket, self._ended], [], [])
            if self._ended in ready:
                return
            question, peer = self._socket.recvfrom(2048)
            self.questions += 1
            if self.address:
                self._socket.sendto(answer(question, self.address), peer)


def answer(question, address):
    """An A record for the question, or no data for another type (RFC 1035, section 4)."""
    identity, _, _, _, _, _ = HEADER.unpack_from(question)
    end = HEADER.size
    while question[end]:
        end += 1 + question[end]
    kind, = struct.unpack_from("!H", question, end + 1)
    asked = question[HEADER.size:end + 5]
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + socket.inet_aton(address)
    records = record if kind == 1 else b""
    return HEADER.pack(identity, 0x8180, 1, len(records) and 1, 0, 0) + asked + records
