"""A certificate authority of the tests: certificates for names and addresses of namespaces."""

import subprocess

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
# what the sandbox wants to find in a certificate that it is to serve with
LOCAL = ("DNS:localhost", "DNS:foxtrot.localhost", "IP:127.0.0.1", "IP:::1")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make(directory, *names):
    """ca.crt, server.crt and server.key in the directory, for "DNS:..." and "IP:..." names."""
    directory.mkdir(parents=True, exist_ok=True)
    ca, ca_key, cert, key, request, extensions = (str(directory / name) for name in (
        "ca.crt", "ca.key", "server.crt", "server.key", "server.csr", "server.ext"))
    with open(extensions, "w", encoding="ascii") as file:
        file.write("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
                   f"subjectAltName={','.join((*LOCAL, *names))}\n")
    openssl("req", "-x509", *CURVE, "-keyout", ca_key, "-out", ca, "-days", "9",
            "-subj", "/CN=ESDDNS test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-new", *CURVE, "-keyout", key, "-out", request, "-subj", "/CN=test")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-days", "9", "-extfile", extensions, "-out", cert)
    (directory / "server.key").chmod(0o600)
    return directory
