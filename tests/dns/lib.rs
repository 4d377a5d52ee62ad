//! A name server for tests, on loopback, over UDP and TCP. It plays the whole DNS: one zone is the
//! signed root, others hang below it without signatures, and names can be made to fail in all the
//! ways that names fail. hickory-server answers; the failures are ours.
//!
//! RFC 1035, 4033–4035.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_server::Server;
use hickory_server::dnssec::NxProofKind;
use hickory_server::net::runtime::Time;
use hickory_server::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_server::proto::dnssec::rdata::DNSKEY;
use hickory_server::proto::dnssec::{DnssecSigner, SigningKey};
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::{A, CNAME};
use hickory_server::proto::rr::{LowerName, Name, RData, Record, RecordSet, RecordType, RrKey};
use hickory_server::proto::serialize::txt::Parser;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, MessageResponseBuilder, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

/// How a name fails, whatever is asked about it or about names below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Each name is an alias of the next: `1.endless.test` of `2.endless.test`.
    Endless,
    /// An address, whatever was asked for.
    OtherType,
    Refused,
    ServFail,
    /// No answer at all.
    Silence,
    /// The zone is signed, but the signatures of the very name are missing (DNSSEC: bogus).
    Unsigned,
}

/// What the server is to know, before it starts.
#[derive(Default)]
pub struct Names {
    root: String,
    unsigned: Vec<(String, String)>,
    faults: Vec<(String, Fault)>,
}

impl Names {
    /// Lines of the root zone in zone file format, without SOA and NS. `sink.test. A 127.0.0.1` has
    /// all its names in the root zone, so all of them are signed.
    pub fn signed(records: &str) -> Self {
        Self { root: records.to_owned(), ..Self::default() }
    }

    /// A zone of its own to which the root delegates without a DS record.
    #[must_use]
    pub fn unsigned(mut self, zone: &str, records: &str) -> Self {
        self.unsigned.push((zone.to_owned(), records.to_owned()));
        self
    }

    #[must_use]
    pub fn fault(mut self, name: &str, fault: Fault) -> Self {
        self.faults.push((name.to_owned(), fault));
        self
    }

    /// Starts the server; it ends with the value.
    pub async fn serve(self) -> TestDns {
        let key = Ed25519SigningKey::generate_pkcs8().expect("a key");
        let key = Ed25519SigningKey::from_pkcs8(&key).expect("a key");
        let public = DNSKEY::from_key(&key.to_public_key().expect("its public part"));
        let mut text = head(".");
        text.push_str(&self.root);
        for (zone, _) in &self.unsigned {
            text.push_str(&format!("\n{zone} 60 IN NS ns.\n"));
        }
        let mut root = zone(".", &text, Some(NxProofKind::Nsec));
        let signer = DnssecSigner::new(public.clone(), Box::new(key), Name::root(), DAY);
        root.add_zone_signing_key_mut(signer).expect("signs");
        root.secure_zone_mut().expect("signs");
        for (spoilt, _) in self.faults.iter().filter(|(_, fault)| *fault == Fault::Unsigned) {
            let spoilt = name(spoilt);
            for (_, set) in root.records_get_mut().iter_mut().filter(|(key, _)| key.name == spoilt) {
                Arc::make_mut(set).clear_rrsigs();
            }
        }
        let mut parent = Catalog::new();
        let root = Arc::new(root);
        parent.upsert(LowerName::new(&Name::root()), vec![root.clone()]);
        let mut all = Catalog::new();
        all.upsert(LowerName::new(&Name::root()), vec![root]);
        for (origin, records) in &self.unsigned {
            let text = format!("{}{records}\n", head(origin));
            all.upsert(name(origin), vec![Arc::new(zone(origin, &text, None))]);
        }
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let faults = self.faults.iter().map(|(at, fault)| (name(at), *fault)).collect();
        let responder = Responder { parent, all, faults, asked: Arc::clone(&asked) };
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().expect("bound");
        let mut server = Server::new(responder);
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(10), 64);
        TestDns { address, trust_anchor: format!(". 60 IN DNSKEY {public}\n"), asked, _server: server }
    }
}

/// A running server.
pub struct TestDns {
    pub address: SocketAddr,
    /// The root's key as a line of a zone file.
    pub trust_anchor: String,
    asked: Arc<Mutex<HashMap<(LowerName, RecordType), usize>>>,
    _server: Server<Responder>,
}

impl TestDns {
    /// How often a question was asked: `asked("sink.test.", "MX")`.
    pub fn asked(&self, at: &str, kind: &str) -> usize {
        let kind: RecordType = kind.parse().expect("a record type");
        let asked = self.asked.lock().expect("nothing panics under it");
        asked.get(&(name(at), kind)).copied().unwrap_or(0)
    }

    /// Questions so far.
    pub fn questions(&self) -> usize {
        self.asked.lock().expect("nothing panics under it").values().sum()
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What every zone has; a negative answer may be kept for a minute.
fn head(origin: &str) -> String {
    format!("$TTL 60\n{origin} 60 IN SOA ns. host. 1 3600 600 86400 60\n{origin} 60 IN NS ns.\n")
}

fn name(text: &str) -> LowerName {
    LowerName::new(&Name::from_ascii(text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn zone(origin: &str, text: &str, proof: Option<NxProofKind>) -> InMemoryZoneHandler {
    let origin = Name::from_ascii(origin).expect("a name");
    // Every line names its owner, however far it is indented.
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let parsed = Parser::new(&text, None, Some(origin.clone())).parse();
    let (_, records): (_, BTreeMap<RrKey, RecordSet>) =
        parsed.unwrap_or_else(|error| panic!("{error}:\n{text}"));
    InMemoryZoneHandler::new(origin, records, ZoneType::Primary, AxfrPolicy::Deny, proof).expect("a zone")
}

/// What an endless chain of aliases goes on with.
fn next(name: &LowerName) -> RData {
    let name = Name::from(name);
    let first = name.iter().next().map(|label| String::from_utf8_lossy(label).into_owned());
    let number: u64 = first.and_then(|label| label.parse().ok()).unwrap_or(0);
    let rest = if number == 0 { name } else { name.base_name() };
    let label = (number + 1).to_string();
    RData::CNAME(CNAME(rest.prepend_label(label.as_bytes()).expect("a short label")))
}

/// The same free port for both.
async fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..50 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("bound")).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

struct Responder {
    /// The root alone: questions for DS are the parent's to answer.
    parent: Catalog,
    all: Catalog,
    faults: Vec<(LowerName, Fault)>,
    asked: Arc<Mutex<HashMap<(LowerName, RecordType), usize>>>,
}

#[async_trait::async_trait]
impl RequestHandler for Responder {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut handle: R,
    ) -> ResponseInfo {
        let Ok(info) = request.request_info() else {
            return self.all.handle_request::<R, T>(request, handle).await;
        };
        let (name, kind) = (info.query.name().clone(), info.query.query_type());
        *self.asked.lock().expect("nothing panics under it").entry((name.clone(), kind)).or_default() += 1;
        let fault = self.faults.iter().find(|(at, _)| at.zone_of(&name)).map(|(_, fault)| *fault);
        let code = match fault {
            Some(Fault::Refused) => ResponseCode::Refused,
            Some(Fault::ServFail) => ResponseCode::ServFail,
            Some(Fault::Silence) => {
                let metadata = Metadata::response_from_request(&request.metadata);
                return Header { metadata, counts: HeaderCounts::default() }.into();
            }
            Some(fault @ (Fault::Endless | Fault::OtherType)) => {
                let data = if fault == Fault::Endless { next(&name) } else { RData::A(A::new(127, 0, 0, 1)) };
                let record = Record::from_rdata(Name::from(&name), 60, data);
                let response = MessageResponseBuilder::from_message_request(request);
                let metadata = Metadata::response_from_request(&request.metadata);
                let response = response.build(metadata, [&record], [], [], []);
                return handle.send_response(response).await.expect("sent");
            }
            Some(Fault::Unsigned) | None => {
                let catalog = if kind == RecordType::DS { &self.parent } else { &self.all };
                return catalog.handle_request::<R, T>(request, handle).await;
            }
        };
        let response = MessageResponseBuilder::from_message_request(request);
        let response = response.error_msg(&request.metadata, code);
        handle.send_response(response).await.expect("sent")
    }
}
