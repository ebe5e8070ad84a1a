"""A CA and a server certificate for loopback, made with the openssl command line."""

import fcntl
import os
import pathlib
import ssl
import subprocess

from world import OPERATORS

DAYS = 825
NAMES = ("localhost", *(f"{operator}.localhost" for operator in OPERATORS))
SAN = ",".join([*(f"DNS:{name}" for name in NAMES), "IP:127.0.0.1", "IP:::1"])
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


class TlsError(Exception):
    """openssl is missing or failed; the text is what it said."""


def run(*arguments):
    try:
        result = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise TlsError("openssl is not installed (Debian package: openssl)") from None
    except subprocess.TimeoutExpired:
        raise TlsError(f"openssl {arguments[0]} did not end within a minute") from None
    return result


def run_checked(*arguments):
    result = run(*arguments)
    if result.returncode:
        raise TlsError(f"openssl {arguments[0]}: {result.stderr.strip()}")


def is_usable(directory):
    """Whether what is there can serve for another day, under these names."""
    ca, cert, key = (str(directory / name) for name in ("ca.crt", "server.crt", "server.key"))
    if not all(os.path.exists(path) for path in (ca, cert, key)):
        return False
    if os.stat(key).st_mode & 0o077:
        return False
    if any(run("x509", "-in", path, "-noout", "-checkend", "86400").returncode
           for path in (ca, cert)):
        return False
    return run("verify", "-CAfile", ca, "-verify_hostname", NAMES[-1], "-verify_ip", "::1",
               cert).returncode == 0


def make(directory):
    """New CA and certificate. The CA's key is not kept: nothing else is ever signed with it."""
    ca, ca_key, cert, key, request, extensions = (str(directory / name) for name in (
        "ca.crt", "ca.key", "server.crt", "server.key", "server.csr", "server.ext"))
    pathlib.Path(extensions).write_text(
        f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        f"extendedKeyUsage=serverAuth\nsubjectAltName={SAN}\n", encoding="ascii")
    try:
        run_checked("req", "-x509", *NEW_KEY, "-keyout", ca_key, "-out", ca, "-days", str(DAYS),
                    "-subj", "/CN=ESDDNS sandbox CA",
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        run_checked("req", "-new", *NEW_KEY, "-keyout", key, "-out", request,
                    "-subj", "/CN=localhost")
        run_checked("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key,
                    "-CAcreateserial", "-days", str(DAYS), "-extfile", extensions, "-out", cert)
    finally:
        for name in ("ca.key", "ca.srl", "server.csr", "server.ext"):
            (directory / name).unlink(missing_ok=True)


def prepare(directory):
    """An SSL context with the certificate in directory, made there where it is missing or old."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    previous = os.umask(0o077)
    try:
        with open(directory / ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_usable(directory):
                make(directory)
                for name in ("ca.crt", "server.crt"):
                    os.chmod(directory / name, 0o644)
    finally:
        os.umask(previous)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    return context
