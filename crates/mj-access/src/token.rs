//! Secrets that travel: session and source tokens, one-time codes. Only their SHA-256 is kept, so a
//! stolen row opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const SESSION: &str = "mjs_";
const SOURCE: &str = "mjk_";
const EMERGENCY: &str = "mje_";

pub fn new_session_token() -> String {
    random_token(SESSION)
}

pub fn new_source_token() -> String {
    random_token(SOURCE)
}

pub fn is_source_token(token: &str) -> bool {
    token.starts_with(SOURCE)
}

pub fn new_emergency_token() -> String {
    random_token(EMERGENCY)
}

pub fn is_emergency_token(token: &str) -> bool {
    token.starts_with(EMERGENCY)
}

/// 256 bits; the prefix lets a scanner of leaked secrets find ours.
fn random_token(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(mj_platform::gm::random::<32>()))
}

/// What is kept of a secret.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The anti-forgery token of a session: follows from the session token, which a foreign page cannot
/// read, so nothing more needs keeping.
pub fn csrf_of(session_token: &str) -> String {
    digest(&format!("mj-csrf\n{session_token}"))
}

pub fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// Letters and digits that are not mistaken for one another on paper.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A one-time code to be typed by hand: 120 bits in groups of six.
pub fn new_code() -> String {
    let mut code = String::new();
    for (index, byte) in mj_platform::gm::random::<24>().into_iter().enumerate() {
        if index > 0 && index % 6 == 0 {
            code.push('-');
        }
        code.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    code
}

/// The digest of a code as typed: case, hyphens and look-alikes do not matter.
pub fn code_digest(typed: &str) -> String {
    digest(&format!("mj-code\n{}", plain(typed)))
}

/// The digest of two codes that open together, in this order.
pub fn halves_digest(one: &str, other: &str) -> String {
    digest(&format!("mj-emergency\n{}\n{}", plain(one), plain(other)))
}

fn plain(typed: &str) -> String {
    typed
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_read_from_paper_is_understood() {
        let code = new_code();
        assert_eq!(code.len(), 27);
        let typed = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(code_digest(&typed), code_digest(&code));
        assert_ne!(code_digest(&new_code()), code_digest(&code));
    }
}
