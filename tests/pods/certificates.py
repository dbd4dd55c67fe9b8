"""Certificates of an authority that only a test knows, each as the driver writes one: key and chain in one PEM."""

import subprocess

NAME = "web.example"


class Authority:
    def __init__(self, directory):
        self._directory = directory
        self.file = directory / "ca.pem"
        self._key = directory / "ca.key"
        directory.mkdir()
        _openssl("req", "-x509", *_new_key(self._key), "-subj=/CN=Authority", "-days=2", f"-out={self.file}")

    def issue(self, serial):
        """The PEM of a new key and its certificate."""
        key, certificate = self._directory / f"{serial}.key", self._directory / f"{serial}.pem"
        _openssl(
            "req", "-x509", f"-CA={self.file}", f"-CAkey={self._key}", *_new_key(key), f"-subj=/CN={NAME}",
            f"-addext=subjectAltName=DNS:{NAME}", "-addext=basicConstraints=CA:false", "-days=1",
            f"-set_serial={serial}", f"-out={certificate}",
        )  # fmt: skip
        return key.read_text() + certificate.read_text()


def key_lines(pem):
    """Lines of the private key, none of which may be in what anybody says."""
    body = pem.partition("-----END PRIVATE KEY-----")[0].splitlines()[1:]
    assert body
    return body


def _new_key(file):
    return ["-newkey=ec", "-pkeyopt=ec_paramgen_curve:P-256", "-noenc", f"-keyout={file}"]


def _openssl(command, *options):
    # Its options and their values are words of their own.
    words = [word for option in options for word in option.split("=", 1)]
    subprocess.run(["openssl", command, *words], capture_output=True, text=True, timeout=30, check=True)
