//! The signed record of a twin, one version of it.

use hub_civil::{Civil, SECONDS_A_DAY};

use crate::handle::is_domain;
use crate::{Handle, Hash, Object, PublicKey, Refusal, SecretKey, Signature, TwinId, Value};

/// Octets of a record, at most. What a hub makes has about 700.
pub const LONGEST: usize = 4096;

/// In any list of a record.
const MOST_ITEMS: usize = 8;
const KIND: &str = "twin/1";

/// Who holds the keys that sign what the twin sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// A device of the person.
    Device,
    /// The hub: it could sign without being asked to.
    Hub,
}

/// What a version says; the rest of it follows from the version before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Unix seconds, as all times here.
    pub time: i64,
    pub expires_at: i64,
    pub handle: Handle,
    /// Domains on whose hubs the twin lives.
    pub hubs: Vec<String>,
    /// Keys that may sign the next version, highest rank first.
    pub rotate: Vec<PublicKey>,
    /// Keys that sign what the twin sends.
    pub sign: Vec<PublicKey>,
    pub custody: Custody,
    /// Kinds of envelopes it takes.
    pub accepts: Vec<String>,
}

/// One version of a twin's record: well-formed, its signatures not yet judged ([`crate::History`] does).
///
/// ```json
/// {"accepts":["mail/1"],"custody":"hub","exp":"2027-11-22T15:00:00Z","handle":"alice@example.org",
///  "hub":["example.org"],"id":"tw1…","keys":{"rotate":["ed25519:…","ed25519:…"],"sign":["ed25519:…"]},
///  "prev":"sha256:…","seq":7,"sigs":[{"key":"ed25519:…","sig":"…"}],"time":"2026-11-22T15:00:00Z","type":"twin/1"}
/// ```
/// Signed and hashed is its canonical form without `sigs`; the genesis also without `id`, which is made of
/// that hash, and it has no `prev`. Members that are not known are kept: they are signed like the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Without `sigs`.
    object: Object,
    hash: Hash,
    id: TwinId,
    seq: u64,
    prev: Option<Hash>,
    draft: Draft,
    signatures: Vec<(PublicKey, Signature)>,
}

impl Record {
    /// Reads a record. It may be one that somebody forged; what does not fit together is refused.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        if text.len() > LONGEST {
            return Err(Refusal::Malformed("length"));
        }
        let Value::Object(mut object) = Value::parse(text)? else {
            return Err(Refusal::Malformed("type"));
        };
        let signatures = object.remove("sigs").ok_or(Refusal::Malformed("signature"))?;
        Self::new(object, read_signatures(&signatures)?)
    }

    /// The first version of a new twin, signed by one of its keys that may rotate.
    pub fn genesis(draft: &Draft, key: &SecretKey) -> Result<Self, Refusal> {
        let mut object = draft.object();
        object.set("seq", Value::Integer(1));
        let id = TwinId::of_genesis(Hash::of(object.to_canonical().as_bytes()));
        object.set("id", id.to_string().into());
        Self::signed(object, key)
    }

    /// The version behind this one, signed by one of the keys that this one lets rotate.
    pub fn next(&self, draft: &Draft, key: &SecretKey) -> Result<Self, Refusal> {
        let mut object = draft.object();
        let seq = i64::try_from(self.seq + 1).map_err(|_| Refusal::Malformed("seq"))?;
        object.set("seq", Value::Integer(seq));
        object.set("id", self.id.to_string().into());
        object.set("prev", self.hash.to_string().into());
        Self::signed(object, key)
    }

    fn signed(object: Object, key: &SecretKey) -> Result<Self, Refusal> {
        let signature = key.sign(signed_bytes(&object).as_bytes());
        let record = Self::new(object, vec![(key.public(), signature)])?;
        if record.to_canonical().len() > LONGEST {
            return Err(Refusal::Malformed("length"));
        }
        Ok(record)
    }

    fn new(object: Object, signatures: Vec<(PublicKey, Signature)>) -> Result<Self, Refusal> {
        if text(&object, "type")? != KIND {
            return Err(Refusal::Malformed("type"));
        }
        let seq = object.get("seq").and_then(Value::as_integer).and_then(|seq| u64::try_from(seq).ok());
        let seq = seq.filter(|seq| *seq > 0).ok_or(Refusal::Malformed("seq"))?;
        let prev = match object.get("prev") {
            Some(prev) => Some(prev.as_str().ok_or(Refusal::Malformed("hash"))?.parse()?),
            None => None,
        };
        if prev.is_none() != (seq == 1) {
            return Err(Refusal::Malformed("prev"));
        }
        let id = text(&object, "id")?.parse()?;
        let draft = Draft::read(&object)?;
        let hash = Hash::of(signed_bytes(&object).as_bytes());
        if seq == 1 && id != TwinId::of_genesis(hash) {
            return Err(Refusal::WrongId);
        }
        Ok(Self { object, hash, id, seq, prev, draft, signatures })
    }

    /// The text that is kept and sent.
    pub fn to_canonical(&self) -> String {
        let signature = |(key, signature): &(PublicKey, Signature)| {
            let mut object = Object::default();
            object.set("key", key.to_string().into());
            object.set("sig", signature.to_string().into());
            Value::Object(object)
        };
        let mut object = self.object.clone();
        object.set("sigs", Value::Array(self.signatures.iter().map(signature).collect()));
        object.to_canonical()
    }

    /// What the next version names as `prev`, and what a log holds.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    pub fn id(&self) -> TwinId {
        self.id
    }

    /// The number of this version, from 1.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    pub fn prev(&self) -> Option<Hash> {
        self.prev
    }

    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The highest rank, from 0, among `keys` that has signed this.
    pub fn rank(&self, keys: &[PublicKey]) -> Option<usize> {
        let signed = signed_bytes(&self.object);
        let has_signed = |key: &PublicKey| {
            let by_it = self.signatures.iter().filter(|(signer, _)| signer == key);
            by_it.into_iter().any(|(_, signature)| key.verifies(signed.as_bytes(), signature))
        };
        keys.iter().position(has_signed)
    }
}

/// `object` has no `sigs`.
fn signed_bytes(object: &Object) -> String {
    if object.get("prev").is_some() {
        return object.to_canonical();
    }
    let mut genesis = object.clone();
    genesis.remove("id");
    genesis.to_canonical()
}

fn read_signatures(signatures: &Value) -> Result<Vec<(PublicKey, Signature)>, Refusal> {
    let malformed = Refusal::Malformed("signature");
    let signatures = signatures.as_array().filter(|list| list.len() <= MOST_ITEMS).ok_or(malformed)?;
    let read = |signature: &Value| {
        let object = signature.as_object().ok_or(malformed)?;
        Ok((text(object, "key")?.parse()?, text(object, "sig")?.parse()?))
    };
    signatures.iter().map(read).collect()
}

impl Draft {
    fn object(&self) -> Object {
        let strings = |list: &[String]| Value::Array(list.iter().map(|item| item.as_str().into()).collect());
        let keys = |list: &[PublicKey]| Value::Array(list.iter().map(|key| key.to_string().into()).collect());
        let mut all = Object::default();
        all.set("rotate", keys(&self.rotate));
        all.set("sign", keys(&self.sign));
        let custody = match self.custody {
            Custody::Device => "device",
            Custody::Hub => "hub",
        };
        let mut object = Object::default();
        object.set("type", KIND.into());
        object.set("time", write_time(self.time).into());
        object.set("exp", write_time(self.expires_at).into());
        object.set("handle", self.handle.as_str().into());
        object.set("hub", strings(&self.hubs));
        object.set("keys", Value::Object(all));
        object.set("custody", custody.into());
        object.set("accepts", strings(&self.accepts));
        object
    }

    fn read(object: &Object) -> Result<Self, Refusal> {
        let time = |name| read_time(text(object, name)?).ok_or(Refusal::Malformed("time"));
        let strings = |name| -> Result<Vec<String>, Refusal> {
            let read = |item: &Value| item.as_str().map(str::to_owned).ok_or(Refusal::Malformed(name));
            list(object, name)?.iter().map(read).collect()
        };
        let all = object.get("keys").and_then(Value::as_object).ok_or(Refusal::Malformed("keys"))?;
        let keys = |name| -> Result<Vec<PublicKey>, Refusal> {
            let read = |item: &Value| item.as_str().ok_or(Refusal::Malformed(name))?.parse();
            let keys: Vec<PublicKey> = list(all, name)?.iter().map(read).collect::<Result<_, _>>()?;
            // A key that stands twice would have two ranks.
            let is_once = |(at, key): (usize, &PublicKey)| !keys[..at].contains(key);
            let fits = !keys.is_empty() && keys.iter().enumerate().all(is_once);
            if fits { Ok(keys) } else { Err(Refusal::Malformed(name)) }
        };
        let draft = Self {
            time: time("time")?,
            expires_at: time("exp")?,
            handle: text(object, "handle")?.parse()?,
            hubs: strings("hub")?,
            rotate: keys("rotate")?,
            sign: keys("sign")?,
            custody: match text(object, "custody")? {
                "device" => Custody::Device,
                "hub" => Custody::Hub,
                _ => return Err(Refusal::Malformed("custody")),
            },
            accepts: strings("accepts")?,
        };
        if draft.expires_at <= draft.time {
            return Err(Refusal::Malformed("time"));
        }
        if draft.hubs.is_empty() || !draft.hubs.iter().all(|hub| is_domain(hub)) {
            return Err(Refusal::Malformed("hub"));
        }
        let is_kind = |kind: &String| kind.len() <= 40 && kind.bytes().all(|b| b.is_ascii_graphic());
        if !draft.accepts.iter().all(is_kind) {
            return Err(Refusal::Malformed("accepts"));
        }
        Ok(draft)
    }
}

fn text<'a>(object: &'a Object, name: &'static str) -> Result<&'a str, Refusal> {
    object.get(name).and_then(Value::as_str).ok_or(Refusal::Malformed(name))
}

fn list<'a>(object: &'a Object, name: &'static str) -> Result<&'a [Value], Refusal> {
    let list = object.get(name).and_then(Value::as_array).filter(|list| list.len() <= MOST_ITEMS);
    list.ok_or(Refusal::Malformed(name))
}

/// RFC 3339 §5.6 in its one form here: UTC, whole seconds.
fn write_time(unix: i64) -> String {
    let civil = Civil::of(unix);
    let hub_civil::Date { year, month, day } = civil.date;
    format!("{year:04}-{month:02}-{day:02}T{}Z", civil.time())
}

fn read_time(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<i64>().ok()
    };
    let day = hub_civil::days(number(0..4)?, number(5..7)?, number(8..10)?)?;
    let unix = day * SECONDS_A_DAY + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    // What is written in another way, or has an hour 25, is read as something else.
    (write_time(unix) == text).then_some(unix)
}
