//! A name server on loopback with a few records.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hub_mailauth::Authenticator;

/// What a name has.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Data(RData),
    /// Nothing that is asked of this name is answered.
    Silence,
    /// Whatever else is asked of this name cannot be told.
    Trouble,
    /// A "no" about this name is nobody's: it has no SOA record.
    Unfounded,
}

/// Names in lower case, without the dot at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone(HashMap<Vec<u8>, Vec<Entry>>);

impl Zone {
    pub(crate) fn add(&mut self, name: &str, entry: Entry) {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into_bytes();
        self.0.entry(name).or_default().push(entry);
    }

    pub(crate) fn txt(&mut self, name: &str, text: &str) {
        self.add(name, txt(&[latin1(text)]));
    }

    pub(crate) fn address(&mut self, name: &str, address: &str) {
        self.add(name, address_entry(address));
    }

    /// Serves the zone as long as the answer lives.
    pub(crate) fn serve(self) -> Served {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("its address");
        let asked = Arc::new(AtomicUsize::new(0));
        let zone = Arc::new(Mutex::new(self));
        let (count, served) = (Arc::clone(&asked), Arc::clone(&zone));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(query) = Message::from_vec(&buffer[..length]) else { continue };
                let zone = served.lock().expect("a zone");
                if zone.has(&query, |entry| matches!(entry, Entry::Silence)) {
                    continue;
                }
                let answer = zone.answer(&query);
                let _ = socket.send_to(&answer.to_vec().expect("an answer"), peer);
            }
        });
        Served { address, asked }
    }

    /// The name that is asked for has such an entry.
    fn has(&self, query: &Message, is: impl Fn(&Entry) -> bool) -> bool {
        let entries = query.queries.first().and_then(|question| self.0.get(&key(question.name())));
        entries.is_some_and(|entries| entries.iter().any(is))
    }

    fn answer(&self, query: &Message) -> Message {
        let mut answer = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        let Some(question) = query.queries.first() else { return answer };
        answer.add_query(question.clone());
        let mut name = question.name().clone();
        // Follows aliases as a resolver does.
        for _ in 0..8 {
            let entries = self.0.get(&key(&name)).map(Vec::as_slice);
            answer.metadata.response_code = match entries {
                None if answer.answers.is_empty() => ResponseCode::NXDomain,
                _ => ResponseCode::NoError,
            };
            let entries = entries.unwrap_or_default();
            let of = |kind: RecordType| {
                entries.iter().filter_map(move |entry| match entry {
                    Entry::Data(data) if data.record_type() == kind => Some(data.clone()),
                    _ => None,
                })
            };
            let found: Vec<RData> = of(question.query_type()).collect();
            let trouble = entries.iter().any(|entry| matches!(entry, Entry::Trouble));
            if found.is_empty() && trouble {
                answer.metadata.response_code = ResponseCode::ServFail;
            }
            let alias = of(RecordType::CNAME).next();
            let is_end = !found.is_empty();
            for data in found {
                answer.add_answer(Record::from_rdata(name.clone(), 60, data));
            }
            match alias {
                Some(RData::CNAME(target)) if !is_end => {
                    answer.add_answer(Record::from_rdata(name, 60, RData::CNAME(target.clone())));
                    name = target.0;
                }
                _ => break,
            }
        }
        // RFC 2308 §2: who is responsible for a "no".
        let is_founded = !self.has(query, |entry| matches!(entry, Entry::Unfounded));
        let is_no = answer.answers.is_empty() && answer.metadata.response_code != ResponseCode::ServFail;
        if is_no && is_founded {
            let root = Name::root;
            let soa = SOA::new(root(), root(), 1, 3600, 600, 86_400, 60);
            answer.add_authority(Record::from_rdata(root(), 60, RData::SOA(soa)));
        }
        answer
    }
}

/// A zone that is being served.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Served {
    pub(crate) fn authenticator(&self) -> Authenticator {
        let settings = hub_dns::Settings { server: Some(self.address), ..hub_dns::Settings::default() };
        let dns = hub_dns::Dns::new(&settings).expect("no trust anchor to read");
        Authenticator::new("receiver.example", Arc::new(dns))
    }

    /// Questions so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn key(name: &Name) -> Vec<u8> {
    name.iter().collect::<Vec<_>>().join(&b'.').to_ascii_lowercase()
}

/// The bytes that these characters stand for.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect()
}

pub(crate) fn txt(strings: &[Vec<u8>]) -> Entry {
    let pieces: Vec<&[u8]> = strings.iter().flat_map(|string| string.chunks(255)).collect();
    Entry::Data(RData::TXT(TXT::from_bytes(if pieces.is_empty() { vec![b""] } else { pieces })))
}

pub(crate) fn address_entry(address: &str) -> Entry {
    Entry::Data(match address.parse().expect("an address") {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    })
}

fn name(text: &str) -> Name {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut name = Name::from_labels(labels.map(str::as_bytes)).expect("a name");
    name.set_fqdn(true);
    name
}

pub(crate) fn mail_host(preference: u16, host: &str) -> Entry {
    Entry::Data(RData::MX(MX::new(preference, name(host))))
}

pub(crate) fn pointer(target: &str) -> Entry {
    Entry::Data(RData::PTR(PTR(name(target))))
}

pub(crate) fn alias(target: &str) -> Entry {
    Entry::Data(RData::CNAME(CNAME(name(target))))
}
