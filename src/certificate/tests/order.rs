//! Which certificate is the leaf, and who issued whom.

use super::{CertificateError, CertificatePart, Openssl, check_whole, take};

fn subjects(openssl: &Openssl, files: &[&str], part: CertificatePart) -> Vec<String> {
    openssl.subjects(&take(openssl.text(files), part).expect("it is there"))
}

#[test]
fn the_order_in_which_they_are_kept_does_not_matter() {
    let openssl = Openssl::with_chain("P-256");
    let [a, b, c] = ["leaf.pem", "intermediate.pem", "root.pem"];
    for [x, y, z] in [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
        check_whole(&openssl, openssl.text(&["leaf.key", x, y, z]).as_bytes());
        check_whole(&openssl, openssl.text(&[x, y, z, "leaf.key"]).as_bytes());
        // Without a key to go by.
        let chain = subjects(&openssl, &[x, y, z], CertificatePart::Chain);
        assert_eq!(chain, ["leaf.example", "intermediate"], "{x} {y} {z}");
    }
}

#[test]
fn a_leaf_that_signed_itself_is_its_own_chain() {
    let openssl = Openssl::new();
    openssl.certify("leaf", "/CN=leaf.example", "P-256", None);
    let all = ["leaf.key", "leaf.pem"];
    for part in
        [CertificatePart::Leaf, CertificatePart::Chain, CertificatePart::FullChain, CertificatePart::Pem]
    {
        assert_eq!(subjects(&openssl, &all, part), ["leaf.example"], "{part:?}");
    }
    assert_eq!(take(openssl.text(&all), CertificatePart::Ca), Err(CertificateError::NoIssuer));
}

#[test]
fn a_chain_without_its_root_is_the_full_chain() {
    let openssl = Openssl::with_chain("P-256");
    let all = ["intermediate.pem", "leaf.pem", "leaf.key"];
    for part in [CertificatePart::Chain, CertificatePart::FullChain] {
        assert_eq!(subjects(&openssl, &all, part), ["leaf.example", "intermediate"], "{part:?}");
    }
    assert_eq!(subjects(&openssl, &all, CertificatePart::Ca), ["intermediate"]);
}

#[test]
fn what_belongs_to_nobody_comes_last_and_is_not_presented() {
    let openssl = Openssl::with_chain("P-256");
    openssl.certify("stranger", "/CN=stranger", "P-256", None);
    openssl.certify("guest", "/CN=guest", "P-256", Some("stranger"));
    for key in [&["leaf.key"][..], &[]] {
        let files = [&["stranger.pem", "root.pem", "leaf.pem", "intermediate.pem"], key].concat();
        let full = ["leaf.example", "intermediate", "root", "stranger"];
        assert_eq!(subjects(&openssl, &files, CertificatePart::Chain), full[..2]);
        assert_eq!(subjects(&openssl, &files, CertificatePart::FullChain), full);
        assert_eq!(subjects(&openssl, &files, CertificatePart::Ca), full[1..]);
    }
    // Two that could be the leaf: the key says which is.
    let files = ["guest.pem", "stranger.pem", "leaf.pem", "intermediate.pem", "leaf.key"];
    assert_eq!(subjects(&openssl, &files, CertificatePart::Chain), ["leaf.example", "intermediate"]);
}

#[test]
fn the_same_certificate_twice_is_one() {
    let openssl = Openssl::with_chain("P-256");
    let twice = ["leaf.pem", "leaf.pem", "root.pem", "intermediate.pem", "root.pem", "leaf.key"];
    check_whole(&openssl, openssl.text(&twice).as_bytes());
}

#[test]
fn an_authority_that_an_older_one_vouches_for_is_presented_with_that() {
    let openssl = Openssl::with_chain("P-256");
    openssl.certify("old", "/CN=old", "P-256", None);
    openssl.write("cross.key", openssl.read("root.key"));
    openssl.certify("cross", "/CN=root", "P-256", Some("old"));
    let files = ["leaf.key", "leaf.pem", "root.pem", "intermediate.pem", "cross.pem"];
    let chain = take(openssl.text(&files), CertificatePart::Chain).unwrap();
    assert_eq!(openssl.subjects(&chain), ["leaf.example", "intermediate", "root"]);
    assert!(chain.ends_with(&openssl.read("cross.pem")));
    for root in ["old.pem", "root.pem"] {
        openssl.verify(root, &chain);
    }
}

#[test]
fn those_that_issued_each_other_come_to_an_end() {
    let openssl = Openssl::new();
    for (name, other) in [("one", "two"), ("two", "one")] {
        openssl.certify(&format!("{other}-root"), &format!("/CN={other}"), "P-256", None);
        openssl.write(&format!("{name}.key"), "");
    }
    for (name, other) in [("one", "two"), ("two", "one")] {
        openssl.write(&format!("{name}.key"), openssl.read(&format!("{name}-root.key")));
        openssl.certify(name, &format!("/CN={name}"), "P-256", Some(&format!("{other}-root")));
    }
    openssl.certify("leaf", "/CN=leaf.example", "P-256", Some("one"));
    for files in [["one.pem", "two.pem", "leaf.pem"], ["leaf.pem", "two.pem", "one.pem"]] {
        assert_eq!(subjects(&openssl, &files, CertificatePart::Chain), ["leaf.example", "one", "two"]);
    }
    // Nobody among them is the last.
    assert_eq!(subjects(&openssl, &["one.pem", "two.pem"], CertificatePart::Chain), ["one", "two"]);
}

#[test]
fn an_authority_with_a_new_key_and_its_old_name_is_told_apart() {
    let openssl = Openssl::with_chain("P-256");
    openssl.write("current.pem", openssl.read("intermediate.pem"));
    std::fs::remove_file(openssl.path("intermediate.key")).unwrap();
    openssl.certify("intermediate", "/CN=intermediate", "P-256", Some("root"));
    for files in [
        ["leaf.key", "intermediate.pem", "current.pem", "leaf.pem", "root.pem"],
        ["leaf.key", "current.pem", "intermediate.pem", "leaf.pem", "root.pem"],
    ] {
        let chain = take(openssl.text(&files), CertificatePart::Chain).unwrap();
        assert_eq!(chain, openssl.text(&["leaf.pem", "current.pem"]), "{files:?}");
    }
}
