//! Certificates and keys that `openssl` makes and judges: what our own code says of itself proves nothing.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A directory with keys and certificates in it.
pub(crate) struct Openssl(TempDir);

impl Openssl {
    pub(crate) fn new() -> Self {
        Self(TempDir::with_prefix("akv-agent-openssl-").expect("a temporary directory"))
    }

    /// A root, an intermediate that it signed, and a leaf that this one signed: `root.pem`, `root.key`, and
    /// so on. The leaf's key is of the kind `key`: `rsa:2048`, or an elliptic curve.
    pub(crate) fn with_chain(key: &str) -> Self {
        let openssl = Self::new();
        openssl.certify("root", "/CN=root", "P-256", None);
        openssl.certify("intermediate", "/CN=intermediate", "P-256", Some("root"));
        openssl.certify("leaf", "/CN=leaf.example", key, Some("intermediate"));
        openssl
    }

    /// Makes `NAME.key` (PKCS#8) unless it is there already.
    pub(crate) fn key(&self, name: &str, kind: &str) {
        if self.path(&format!("{name}.key")).exists() {
            return;
        }
        match kind.strip_prefix("rsa:") {
            Some(bits) => {
                self.run(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out {name}.key"))
            }
            None => {
                self.run(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{kind} -out {name}.key"))
            }
        };
    }

    /// Makes `NAME.pem` for the key `NAME.key`, signed by `issuer` or by itself.
    pub(crate) fn certify(&self, name: &str, subject: &str, key: &str, issuer: Option<&str>) {
        self.key(name, key);
        let authority = if subject.contains("leaf") { "FALSE" } else { "TRUE" };
        let signer = issuer.map(|issuer| format!("-CA {issuer}.pem -CAkey {issuer}.key")).unwrap_or_default();
        self.run(&format!(
            "req -x509 -new -key {name}.key -subj {subject} -days 3650 -out {name}.pem \
             -addext basicConstraints=critical,CA:{authority} {signer}"
        ));
    }

    /// The files together, as one text.
    pub(crate) fn text(&self, names: &[&str]) -> String {
        names.iter().map(|name| self.read(name)).collect()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a file can be written");
    }

    /// A PKCS#12 file with an empty password: leaf, key and chain, unless the options say more.
    pub(crate) fn pfx(&self, options: &str) -> Vec<u8> {
        self.write("chain.pem", self.text(&["intermediate.pem", "root.pem"]));
        self.pfx_of(&format!("-inkey leaf.key -in leaf.pem -certfile chain.pem {options}"))
    }

    /// A PKCS#12 file of whatever the options name.
    pub(crate) fn pfx_of(&self, options: &str) -> Vec<u8> {
        self.run(&format!("pkcs12 -export -out file.pfx -passout pass: {options}"));
        fs::read(self.path("file.pfx")).expect("openssl has written it")
    }

    /// The subjects of the certificates in a PEM text, in their order.
    pub(crate) fn subjects(&self, pem: &str) -> Vec<String> {
        let subject = |block: &str| {
            self.write("subject.pem", block);
            let line = self.run("x509 -in subject.pem -noout -subject -nameopt RFC2253");
            line.trim().trim_start_matches("subject=").trim_start_matches("CN=").to_owned()
        };
        blocks(pem)
            .iter()
            .filter(|block| block.contains("BEGIN CERTIFICATE"))
            .map(|block| subject(block))
            .collect()
    }

    /// The public key of a private key in PEM, whose parts must belong together.
    pub(crate) fn public_of_key(&self, pem: &str) -> String {
        self.write("private.pem", pem);
        self.run("pkey -in private.pem -check -pubout").replace("Key is valid\n", "")
    }

    /// The public key of the first certificate in a PEM text.
    pub(crate) fn public_of_certificate(&self, pem: &str) -> String {
        self.write("certificate.pem", pem);
        self.run("x509 -in certificate.pem -pubkey -noout")
    }

    /// Fails unless a TLS client that trusts `root` accepts what a server presents.
    pub(crate) fn verify(&self, root: &str, presented: &str) {
        self.write("presented.pem", presented);
        self.run(&format!("verify -CAfile {root} -untrusted presented.pem presented.pem"));
    }

    /// Runs it in the directory; arguments stand between spaces. Returns what it printed.
    pub(crate) fn run(&self, line: &str) -> String {
        let Output { status, stdout, stderr } = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap_or_else(|error| panic!("openssl, which these tests need, does not start: {error}"));
        assert!(status.success(), "openssl {line}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8_lossy(&stdout).into_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// The blocks of a PEM text.
pub(crate) fn blocks(pem: &str) -> Vec<String> {
    pem.split_inclusive("-----\n")
        .collect::<Vec<_>>()
        .chunks(2)
        .map(<[&str]>::concat)
        .filter(|block| block.contains("-----BEGIN "))
        .collect()
}
