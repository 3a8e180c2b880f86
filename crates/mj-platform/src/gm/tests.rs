//! Published vectors, the vectors of another project, and the OpenSSL command line, both ways.

use std::path::Path;
use std::process::Command;

use sm4::cipher::{BlockCipherEncrypt, KeyInit};

use super::encrypt;
use super::sign::{self, SigningKey, verify_as};
use super::vault::{KeyClass, SmProvider, Vault};
use super::{Sm3, sm3, sm3_hex};

/// `name = value` lines of a vector file, one map for every blank-line group.
fn groups(text: &str) -> Vec<Vec<(String, String)>> {
    let mut groups = vec![Vec::new()];
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            groups.push(Vec::new());
        } else if let Some((name, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            let pair = (name.trim().to_owned(), value.trim().to_owned());
            groups.last_mut().expect("one group").push(pair);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn value<'a>(group: &'a [(String, String)], name: &str) -> Option<&'a str> {
    group.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn bytes(text: &str) -> Vec<u8> {
    let text = text.trim_start_matches("0x");
    hex::decode(text).expect("hex")
}

#[test]
fn sm3_gives_every_digest_of_the_vector_file() {
    let mut compared = 0;
    for group in groups(include_str!("../../data/gm/sm3.vec")) {
        let (Some(input), Some(output)) = (value(&group, "In"), value(&group, "Out")) else {
            continue;
        };
        let input = bytes(input);
        assert_eq!(sm3(&input).to_vec(), bytes(output));
        let mut pieces = Sm3::new();
        input.chunks(7).for_each(|piece| pieces.update(piece));
        assert_eq!(pieces.finish().to_vec(), bytes(output));
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

#[test]
fn sm4_gives_every_block_of_the_vector_file() {
    let (mut key, mut compared) = (Vec::new(), 0);
    for group in groups(include_str!("../../data/gm/sm4.vec")) {
        if let Some(found) = value(&group, "Key") {
            key = bytes(found);
        }
        let (Some(input), Some(output)) = (value(&group, "In"), value(&group, "Out")) else {
            continue;
        };
        let cipher = sm4::Sm4::new_from_slice(&key).expect("16 bytes");
        let mut input = bytes(input);
        for block in input.chunks_exact_mut(16) {
            let mut one: [u8; 16] = block.try_into().expect("16 bytes");
            cipher.encrypt_block((&mut one).into());
            block.copy_from_slice(&one);
        }
        assert_eq!(input, bytes(output));
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

/// GB/T 32918.5 A.2: key, message and signature as printed in the standard.
#[test]
fn sm2_accepts_the_signature_printed_in_the_standard() {
    let secret = bytes("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8");
    let key = SigningKey::from_bytes(&secret.try_into().expect("32 bytes")).expect("a key");
    assert_eq!(
        hex::encode_upper(key.public()),
        "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020\
         CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
    );
    let mut printed: [u8; 64] = bytes(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3\
         B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
    )
    .try_into()
    .expect("64 bytes");
    assert!(sign::verify(&key.public(), b"message digest", &printed));
    assert!(!sign::verify(&key.public(), b"message digest.", &printed));
    let ours = key.sign(b"message digest").expect("signed");
    assert!(sign::verify(&key.public(), b"message digest", &ours));
    assert_eq!(sign::from_der(&sign::to_der(&ours).expect("der")).expect("back"), ours);
    printed[40] ^= 1;
    assert!(!sign::verify(&key.public(), b"message digest", &printed));
    assert!(SigningKey::from_bytes(&[0; 32]).is_err());
    assert!(!sign::verify(&[4; 65], b"message digest", &ours));
}

#[test]
fn sm2_accepts_the_signature_of_another_implementation() {
    // the groups of the standard curve: the vector file has others, too
    let text = include_str!("../../data/gm/sm2_sig.vec");
    let curve = text.split("P = ").find(|part| part.starts_with("0xFFFFFFFEFFFFFFFFFFFFFFFF"));
    let mut compared = 0;
    for group in groups(curve.expect("the standard curve")) {
        if value(&group, "Hash") != Some("SM3") {
            continue;
        }
        let secret = bytes(value(&group, "x").expect("a key")).try_into().expect("32 bytes");
        let public = SigningKey::from_bytes(&secret).expect("a key").public();
        let signature = bytes(value(&group, "Signature").expect("a signature"));
        let signature = signature.try_into().expect("64 bytes");
        let message = bytes(value(&group, "Msg").expect("a message"));
        let id = value(&group, "Ident").expect("an id");
        assert!(verify_as(id, &public, &message, &signature));
        assert!(!verify_as("1234567812345678", &public, &message, &signature));
        compared += 1;
    }
    assert!(compared > 0);
}

fn openssl(args: &[&str]) -> Option<String> {
    let output = Command::new("openssl").args(args).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

#[test]
fn openssl_and_we_accept_each_others_keys_and_signatures() {
    let known = openssl(&["list", "-public-key-algorithms"]).is_some_and(|it| it.contains("SM2"));
    if !known {
        assert!(std::env::var("MJ_REQUIRE").is_err(), "openssl with SM2 is required here");
        eprintln!("not run: openssl is missing or knows no SM2");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let message = "滕州市第 12 号检查点\n".as_bytes();
    std::fs::write(at("message"), message).expect("written");
    let id = format!("distid:{}", sign::SIGNER_ID);

    // they make the key and sign, we read the key and check
    openssl(&["genpkey", "-algorithm", "SM2", "-out", &at("theirs.pem")]).expect("a key");
    let raw = ["-rawin", "-digest", "sm3", "-in", &at("message"), "-pkeyopt", &id];
    let signing = ["pkeyutl", "-sign", "-inkey", &at("theirs.pem"), "-out", &at("theirs.sig")];
    openssl(&[&signing[..], &raw[..]].concat()).expect("signed");
    let pem = std::fs::read_to_string(at("theirs.pem")).expect("pem");
    let theirs = SigningKey::from_pem(&pem).expect("their key");
    let der = std::fs::read(at("theirs.sig")).expect("a signature");
    let signature = sign::from_der(&der).expect("their signature");
    assert!(sign::verify(&theirs.public(), message, &signature));
    assert!(!sign::verify(&theirs.public(), b"other", &signature));

    // we make the key and sign, they read the key and check
    let ours = SigningKey::generate();
    std::fs::write(at("ours.pem"), sign::public_pem(&ours.public()).expect("pem")).expect("put");
    let signature = ours.sign(message).expect("signed");
    std::fs::write(at("ours.sig"), sign::to_der(&signature).expect("der")).expect("put");
    let checking = ["pkeyutl", "-verify", "-pubin", "-inkey", &at("ours.pem"), "-sigfile"];
    let file = at("ours.sig");
    let checking = [&checking[..], &[file.as_str()], &raw[..]].concat();
    openssl(&checking).expect("openssl accepts");
    std::fs::write(at("message"), b"other").expect("put");
    assert!(openssl(&checking).is_none(), "openssl refuses another message");
    let back = SigningKey::from_pem(&ours.to_pem().expect("pem")).expect("reads");
    assert_eq!(back.public(), ours.public());

    // encrypted by them to us, and by us to them
    openssl(&[
        "pkeyutl",
        "-encrypt",
        "-pubin",
        "-inkey",
        &at("ours.pem"),
        "-in",
        &at("message"),
        "-out",
        &at("sealed"),
    ])
    .expect("encrypted");
    let sealed = std::fs::read(at("sealed")).expect("there");
    assert_eq!(*encrypt::decrypt(&ours, &sealed).expect("opens"), b"other");
    assert!(encrypt::decrypt(&theirs, &sealed).is_err(), "another key");
    let sealed = encrypt::encrypt(&theirs.public(), message).expect("encrypted");
    std::fs::write(at("sealed"), &sealed).expect("put");
    let opening = ["pkeyutl", "-decrypt", "-inkey", &at("theirs.pem"), "-in", &at("sealed")];
    assert_eq!(openssl(&opening).expect("opens").as_bytes(), message);

    // and the same digest
    std::fs::write(at("message"), message).expect("put");
    let digest = openssl(&["dgst", "-sm3", "-r", &at("message")]).expect("a digest");
    assert!(digest.starts_with(&sm3_hex(message)), "{digest}");
}

/// GB/T 32918.5-2017, the example of encryption on the recommended curve.
#[test]
fn sm2_opens_the_published_ciphertext_and_nothing_that_was_changed() {
    let key = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
    let key: [u8; 32] = bytes(key).try_into().expect("32 bytes");
    let key = SigningKey::from_bytes(&super::Wiped::new(key)).expect("a key");
    // as GM/T 0009 writes it: x, y, SM3, text
    let sealed = bytes(concat!(
        "307c",
        "022004ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73",
        "022100e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0",
        "042059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766",
        "041321886ca989ca9c7d58087307ca93092d651efa",
    ));
    assert_eq!(*encrypt::decrypt(&key, &sealed).expect("opens"), b"encryption standard");
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert!(encrypt::decrypt(&key, &changed).is_err(), "byte {place}");
        assert!(encrypt::decrypt(&key, &sealed[..place]).is_err(), "{place} bytes of it");
    }
}

/// What was sent to the organisation before its key was changed is read afterwards too.
#[test]
fn what_is_encrypted_to_the_organisation_opens_with_its_older_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = vault(folder.path(), false);
    let public = keys.public(KeyClass::OrgEnc).expect("a point");
    let sealed = keys.encrypt(&public, "协查材料".as_bytes()).expect("encrypted");
    keys.rotate_secret(KeyClass::OrgEnc).expect("another key");
    assert_ne!(keys.public(KeyClass::OrgEnc).expect("a point"), public);
    assert_eq!(*keys.decrypt(&sealed).expect("opens"), "协查材料".as_bytes());
    let other = tempfile::tempdir().expect("a folder");
    assert!(vault(other.path(), false).decrypt(&sealed).is_err(), "another organisation");
}

fn vault(folder: &Path, production: bool) -> Vault {
    Vault::open(folder, &[7; 16], production)
}

#[test]
fn each_class_has_a_key_of_its_own_that_no_other_class_can_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = vault(folder.path(), false);
    let mut publics = std::collections::BTreeSet::new();
    for class in KeyClass::ALL {
        if class.signs() {
            let signature = first.sign(class, b"m").expect("signed");
            let public = first.public(class).expect("a point");
            assert!(first.verify(&public, b"m", &signature));
            assert!(first.wrap(class, b"m", b"").is_err() && first.mac(class, &[]).is_err());
            assert!(publics.insert(public.to_vec()), "{} shares its key", class.name());
        } else if class == KeyClass::OrgEnc {
            let public = first.public(class).expect("a point");
            let sealed = first.encrypt(&public, b"m").expect("encrypted");
            assert_eq!(*first.decrypt(&sealed).expect("opens"), b"m");
            assert!(first.sign(class, b"m").is_err(), "it encrypts and signs nothing");
            assert!(first.wrap(class, b"m", b"").is_err() && first.mac(class, &[]).is_err());
            assert!(publics.insert(public.to_vec()), "{} shares its key", class.name());
        } else {
            let sealed = first.wrap(class, b"m", b"here").expect("sealed");
            assert_eq!(first.unwrap(class, &sealed, b"here").expect("opens"), b"m");
            assert!(first.unwrap(class, &sealed, b"there").is_err());
            assert!(first.sign(class, b"m").is_err());
            assert!(publics.insert(first.mac(class, &[b"m"]).expect("a mac").to_vec()));
        }
    }
    // the same after a restart, and nothing of it readable in the file
    let again = vault(folder.path(), false);
    let public = again.public(KeyClass::Log).expect("a point");
    assert_eq!(public, first.public(KeyClass::Log).expect("a point"));
    let file = folder.path().join("log.key");
    let text = std::fs::read_to_string(&file).expect("the file");
    assert!(text.starts_with("mingjian-key-1 log development "), "{text}");

    // another master key, another class's file, a taken-off mark: refused
    assert!(Vault::open(folder.path(), &[8; 16], false).public(KeyClass::Log).is_err());
    std::fs::copy(&file, folder.path().join("witness.key")).expect("copied");
    assert!(vault(folder.path(), false).public(KeyClass::Witness).is_err());
    let refused = vault(folder.path(), true).public(KeyClass::Log).expect_err("a trial key");
    assert!(refused.to_string().contains("试用密钥"), "{refused}");
    // nobody is told to throw away what the log or the passwords stand on
    for (class, mend) in [(KeyClass::Log, "新的数据目录"), (KeyClass::Beacon, "移走该文件")]
    {
        let refused = vault(folder.path(), true).public(class).expect_err("a trial key");
        assert!(refused.to_string().contains(mend), "{refused}");
    }
    std::fs::write(&file, text.replace("development", "production")).expect("put");
    assert!(vault(folder.path(), true).public(KeyClass::Log).is_err());
    let fresh = tempfile::tempdir().expect("a folder");
    let public = vault(fresh.path(), true).public(KeyClass::Log).expect("made in production");
    assert_eq!(vault(fresh.path(), true).public(KeyClass::Log).expect("kept"), public);
}

#[test]
fn a_keyed_hash_is_found_again_by_the_name_of_its_key_and_no_key_is_made_by_asking() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = vault(folder.path(), false);
    let under = |name: &str| keys.mac_under(KeyClass::Password, name, &[b"m"]).expect("asked");
    assert_eq!(under("0000abcd"), None);
    assert!(!keys.has(KeyClass::Password), "asking makes none");
    let names: Vec<String> = (0..3)
        .map(|turn| {
            if turn > 0 {
                keys.rotate_secret(KeyClass::Password).expect("another key");
            }
            keys.mac_name(KeyClass::Password).expect("a name")
        })
        .collect();
    let macs: std::collections::BTreeSet<_> =
        names.iter().map(|name| under(name).expect("still there")).collect();
    assert_eq!(macs.len(), 3, "three keys");
    assert_eq!(under(&names[2]), Some(keys.mac(KeyClass::Password, &[b"m"]).expect("a mac")));
    // another class has no secret of that name, and a new start knows all three
    assert_eq!(keys.mac_under(KeyClass::Session, &names[0], &[b"m"]).expect("asked"), None);
    let again = vault(folder.path(), false);
    let first = again.mac_under(KeyClass::Password, &names[0], &[b"m"]).expect("asked");
    assert_eq!(first, under(&names[0]));
}

/// PBKDF2 with HMAC-SM3 as OpenSSL computes it.
#[test]
fn pbkdf2_with_sm3_is_what_openssl_computes() {
    let mut ours = [0; 32];
    super::pbkdf2_sm3(b"shiliu", b"0123456789abcdef", 1_000, &mut ours);
    let said = openssl(&[
        "kdf",
        "-keylen",
        "32",
        "-kdfopt",
        "digest:SM3",
        "-kdfopt",
        "pass:shiliu",
        "-kdfopt",
        "salt:0123456789abcdef",
        "-kdfopt",
        "iter:1000",
        "PBKDF2",
    ]);
    let Some(said) = said else {
        assert!(std::env::var("MJ_REQUIRE").is_err(), "openssl with SM3 is required here");
        eprintln!("not run: openssl is missing or knows no SM3");
        return;
    };
    let theirs = said.trim().replace(':', "").to_lowercase();
    assert_eq!(theirs, hex::encode(ours));
}

/// Whoever reads the memory of a node later finds no key in it that it has put away: each type that holds
/// one overwrites it when it goes, and none says anything of it when printed.
#[test]
fn keys_are_wiped_when_they_go_and_say_nothing_when_printed() {
    fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let secret = super::Wiped::<32>::new([7; 32]);
    let pair = SigningKey::from_bytes(&secret).expect("a key");
    wiped(&pair);
    wiped(&pair.to_bytes());
    wiped(&pair.to_pem().expect("pem"));
    let key = super::Sm4Key::new([7; 16]);
    wiped(&key);
    let folder = tempfile::tempdir().expect("a folder");
    let keys = crate::keys::Keys::open(folder.path(), false).expect("keys");
    let vault = Vault::beside_master(folder.path(), false).expect("a vault");
    let secrets = vault.backup_secrets().expect("made");
    wiped(&secrets[0]);
    wiped(&crate::keys::masters(folder.path()).expect("read")[0]);
    wiped(&crate::archive::key_file(&secrets));
    let said = format!("{pair:?} {key:?} {keys:?} {vault:?}");
    assert_eq!(said, "SigningKey(…) Sm4Key(…) Keys(…) Vault(…)");
    let mut key = key;
    zeroize::Zeroize::zeroize(&mut key);
    assert_eq!(key.bytes(), &[0; 16]);
}
