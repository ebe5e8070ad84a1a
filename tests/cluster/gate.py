"""A way to a TCP port that can be shut: for one instance and the DNS provider, say."""

import socket
import threading


class Gate:
    """Carries 127.0.0.1:port to a target port. made: connections so far."""

    def __init__(self, target_port):
        self._target = target_port
        self._lock = threading.Lock()
        self._sockets = set()
        self._shut = None
        self.made = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self, how="silent"):
        """"silent": what connects is never answered; "reset": it is closed at once."""
        self._shut = how
        self._break()

    def open(self):
        self._shut = None
        self._break()

    def waiting(self):
        """Connections that are open now."""
        with self._lock:
            return len([s for s in self._sockets if not s.ended])

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._break()

    def _break(self):
        with self._lock:
            pairs = list(self._sockets)
        for pair in pairs:
            pair.end()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            pair = Pair(sock)
            with self._lock:
                self.made += 1
                self._sockets.add(pair)
            threading.Thread(target=self._serve, args=(pair,), daemon=True).start()

    def _serve(self, pair):
        try:
            if self._shut == "silent":
                while pair.near.recv(65536):
                    pass
            elif self._shut is None:
                pair.join(self._target)
        except OSError:
            pass
        finally:
            pair.end()
            with self._lock:
                self._sockets.discard(pair)


class Pair:
    """The two sockets of one connection."""

    def __init__(self, near):
        self.near, self.far, self.ended = near, None, False

    def join(self, port):
        self.far = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.far.settimeout(None)
        back = threading.Thread(target=self._copy, args=(self.far, self.near), daemon=True)
        back.start()
        self._copy(self.near, self.far)
        back.join()

    def _copy(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        self.end()

    def end(self):
        self.ended = True
        for sock in (self.near, self.far):
            if sock is not None:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                sock.close()
