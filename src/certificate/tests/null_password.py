"""Makes null_password.pfx: a key and a certificate, encrypted and signed with no password at all.

The command line of openssl cannot (its empty password has two zero bytes), its library can.
"""

import ctypes
import ctypes.util
import pathlib
import subprocess
import tempfile

TRIPLE_DES = 146  # NID_pbe_WithSHA1And3_Key_TripleDES_CBC

lib = ctypes.CDLL(ctypes.util.find_library("crypto"))
for name in ("BIO_new_file", "PEM_read_bio_PrivateKey", "PEM_read_bio_X509", "PKCS12_create"):
    getattr(lib, name).restype = ctypes.c_void_p

with tempfile.TemporaryDirectory() as work:
    key, certificate = f"{work}/key", f"{work}/certificate"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=leaf.example -days 36500"
    subprocess.run(["openssl", *command.split(), "-keyout", key, "-out", certificate], check=True)

    def read(reader, path):
        bio = lib.BIO_new_file(path.encode(), b"r")
        return ctypes.c_void_p(reader(ctypes.c_void_p(bio), None, None, None))

    file = lib.PKCS12_create(
        None, None, read(lib.PEM_read_bio_PrivateKey, key), read(lib.PEM_read_bio_X509, certificate),
        None, TRIPLE_DES, TRIPLE_DES, 2000, 2000, 0,
    )  # fmt: skip
    out = pathlib.Path(__file__).with_suffix(".pfx")
    bio = lib.BIO_new_file(str(out).encode(), b"w")
    assert lib.i2d_PKCS12_bio(ctypes.c_void_p(bio), ctypes.c_void_p(file)) == 1
    lib.BIO_free(ctypes.c_void_p(bio))
