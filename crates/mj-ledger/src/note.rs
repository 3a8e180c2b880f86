//! Signed notes and checkpoints after C2SP signed-note and tlog-checkpoint, with SM3 and SM2.
//!
//! Two differences, both visible in the text: the origin ends in `/sm3`, and keys carry the signature
//! type `0xff` ("unassigned") with our own name behind it. The signature is r‖s over the note's text
//! with the signer's id 1234567812345678.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, Result};
use crate::tree::{Hash, sm3};

const KIND: &[u8] = b"\xffmingjian/sm2-sm3";
/// How whoever holds the curve checks a signature: point, message, r‖s.
pub type Verify<'a> = &'a dyn Fn(&[u8; 65], &[u8], &[u8; 64]) -> bool;

/// A public key with the name it signs under; as text `name+key id+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    pub name: String,
    /// Uncompressed point.
    pub point: [u8; 65],
}

impl VerifierKey {
    pub fn id(&self) -> [u8; 4] {
        key_id(&self.name, KIND, &self.point)
    }

    pub fn to_text(&self) -> String {
        key_text(&self.name, KIND, &self.point)
    }

    pub fn parse(text: &str) -> Result<Self> {
        let (name, point) = parse_key(text, KIND)?;
        Ok(Self { name, point })
    }
}

pub(crate) fn key_id(name: &str, kind: &[u8], point: &[u8; 65]) -> [u8; 4] {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(b'\n');
    bytes.extend(kind);
    bytes.extend(point);
    let [a, b, c, d, ..] = sm3(&bytes);
    [a, b, c, d]
}

pub(crate) fn key_text(name: &str, kind: &[u8], point: &[u8; 65]) -> String {
    let mut bytes = kind.to_vec();
    bytes.extend(point);
    format!("{name}+{}+{}", hex::encode(key_id(name, kind, point)), BASE64.encode(bytes))
}

/// Name and point of a public key of this kind.
pub(crate) fn parse_key(text: &str, kind: &[u8]) -> Result<(String, [u8; 65])> {
    let wrong = Error::Note("公钥应为 名称+编号+base64");
    let mut parts = text.trim().splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong);
    };
    let bytes = BASE64.decode(key).map_err(|_| wrong.clone())?;
    let point = bytes.strip_prefix(kind).and_then(|point| point.try_into().ok());
    let point = point.ok_or(wrong.clone())?;
    if hex::encode(key_id(name, kind, &point)) != id || name.is_empty() {
        return Err(wrong);
    }
    Ok((name.to_owned(), point))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    pub key_id: [u8; 4],
    pub bytes: Vec<u8>,
}

impl Signature {
    /// The line of a note, with its line end.
    pub fn to_line(&self) -> String {
        let mut bytes = self.key_id.to_vec();
        bytes.extend(&self.bytes);
        format!("— {} {}\n", self.name, BASE64.encode(bytes))
    }
}

/// A text and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Ends in a line end.
    pub text: String,
    pub signatures: Vec<Signature>,
}

impl Note {
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n", self.text);
        for signature in &self.signatures {
            out.push_str(&signature.to_line());
        }
        out
    }

    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what| Error::Note(what);
        if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(wrong("含有控制字符"));
        }
        let (body, tail) = text.rsplit_once("\n\n").ok_or(wrong("没有签名"))?;
        if !tail.ends_with('\n') {
            return Err(wrong("没有以换行结束"));
        }
        let mut signatures = Vec::new();
        for line in tail.lines() {
            let (name, bytes) = line
                .strip_prefix("— ")
                .and_then(|rest| rest.split_once(' '))
                .ok_or(wrong("签名行不符"))?;
            let bytes = BASE64.decode(bytes).map_err(|_| wrong("签名不是 base64"))?;
            let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(wrong("签名过短"))?;
            if name.is_empty() || signatures.len() == 100 {
                return Err(wrong("签名行不符"));
            }
            signatures.push(Signature {
                name: name.to_owned(),
                key_id: *key_id,
                bytes: signature.to_vec(),
            });
        }
        if signatures.is_empty() {
            return Err(wrong("没有签名"));
        }
        Ok(Self { text: format!("{body}\n"), signatures })
    }

    /// That this key signed; signatures of others are passed over.
    pub fn check(&self, key: &VerifierKey, verify: Verify<'_>) -> Result<()> {
        let own = self
            .signatures
            .iter()
            .find(|signature| signature.name == key.name && signature.key_id == key.id())
            .ok_or_else(|| Error::NoSignature(key.name.clone()))?;
        match <&[u8; 64]>::try_from(own.bytes.as_slice()) {
            Ok(bytes) if verify(&key.point, self.text.as_bytes(), bytes) => Ok(()),
            _ => Err(Error::BadSignature(key.name.clone())),
        }
    }
}

/// What a log says of itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
    /// Microseconds of UTC, on an extension line.
    pub time: i64,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let root = BASE64.encode(self.root);
        format!("{}\n{}\n{root}\ntime {}\n", self.origin, self.size, self.time)
    }

    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(Error::Note("没有来源"))?;
        let size = lines.next().ok_or(Error::Note("没有大小"))?;
        if size.len() > 1 && size.starts_with('0') {
            return Err(Error::Note("大小有前导零"));
        }
        let size = size.parse().map_err(|_| Error::Note("大小不是数字"))?;
        let root = lines.next().and_then(|root| BASE64.decode(root).ok());
        let root = root.and_then(|root| root.try_into().ok()).ok_or(Error::Note("根不符"))?;
        let time = lines.next().and_then(|line| line.strip_prefix("time ")?.parse().ok());
        let time = time.ok_or(Error::Note("没有时间"))?;
        let checkpoint = Self { origin: origin.to_owned(), size, root, time };
        if checkpoint.text() == text { Ok(checkpoint) } else { Err(Error::Note("有多余内容")) }
    }

    /// Reads a signed checkpoint and checks that `key` signed it.
    pub fn open(text: &str, key: &VerifierKey, verify: Verify<'_>) -> Result<Self> {
        let note = Note::parse(text)?;
        note.check(key, verify)?;
        let checkpoint = Self::parse(&note.text)?;
        if checkpoint.origin != key.name {
            return Err(Error::Note("来源与密钥的名称不符"));
        }
        Ok(checkpoint)
    }
}
