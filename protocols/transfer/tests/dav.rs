//! CalDAV servers that break off or misbehave: what was kept is right, and the rest comes the next time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hub::{Address, Hub, Secret, Settings};
use hub_storage::{Database, Options, Storage};
use hub_transfer::objects::ObjectsKept;
use hub_transfer::{Courier, Error, dav, keep};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came: its first line, header and body.
struct Request {
    line: String,
    head: String,
    body: String,
}

/// A status line with fields, and a body; nothing is a connection that ends.
type Answer = Option<(String, String)>;
type Answers = dyn Fn(&Request) -> Answer + Send + Sync;

async fn server(answers: Arc<Answers>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answers)));
        }
    });
    port
}

async fn serve(stream: TcpStream, answers: Arc<Answers>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream).await {
        let Some((head, body)) = answers(&request) else { return };
        let text = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn receive(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut line, mut head) = (String::new(), String::new());
    stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    loop {
        let before = head.len();
        stream.read_line(&mut head).await.ok()?;
        if head[before..].trim().is_empty() {
            break;
        }
    }
    let length = head
        .lines()
        .find_map(|field| field.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line, head, body: String::from_utf8_lossy(&body).into_owned() })
}

struct World {
    hub: Hub,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary directory");
        let options = Options { data_dir: folder.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("storage");
        let hub = Hub::open(storage, Settings::default()).await.expect("hub");
        hub.add_domain("a.test").await.expect("added");
        hub.add_twin(&alice(), &Secret::new("password")).await.expect("added");
        Self { hub, _folder: folder }
    }

    async fn import(
        &self,
        answers: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Result<ObjectsKept, Error> {
        let port = server(Arc::new(answers)).await;
        let address = dav::Address::parse(&format!("caldav://old@127.0.0.1:{port}/")).expect("an address");
        let password = Secret::new("secret");
        let tls = hub_wire::tls_connector(&[]).expect("TLS");
        let login = dav::Login { address: &address, password: &password, tls, pause: Duration::ZERO };
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let hub = self.hub.clone();
        tokio::spawn(async move { keep(&hub, theirs).await });
        let mut courier = Courier::open(ours, "alice@a.test").await.expect("a keeper");
        dav::import(&login, &mut courier, &mut ()).await
    }

    /// Names of what is in a calendar.
    async fn names(&self, calendar: &str) -> Vec<String> {
        let account = self.hub.account_for_owner(&alice()).await.expect("alice");
        let calendars = account.calendars();
        let found = calendars.find(calendar).await.expect("there");
        let items = calendars.items(found.id, "").await.expect("read");
        items.into_iter().map(|item| item.name).collect()
    }
}

fn alice() -> Address {
    Address::parse("alice@a.test").expect("an address")
}

fn multistatus(rows: &str) -> Answer {
    let body = format!(
        "<d:multistatus xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\">{rows}</d:multistatus>"
    );
    Some(("207 Multi-Status".to_owned(), body))
}

fn row(href: &str, prop: &str) -> String {
    format!(
        "<d:response><d:href>{href}</d:href><d:propstat><d:prop>{prop}</d:prop>\
         <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )
}

fn event(name: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:{name}\nDTSTAMP:20260101T000000Z\n\
         DTSTART:20260301T100000Z\nSUMMARY:{name}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
}

const OBJECTS: usize = 70;

/// A server with one calendar of many objects.
fn good(request: &Request) -> Answer {
    let path = request.line.split(' ').nth(1).unwrap_or_default();
    match (request.line.split(' ').next().unwrap_or_default(), path) {
        ("PROPFIND", "/.well-known/caldav") => {
            Some(("301 Moved Permanently\r\nLocation: /dav/".to_owned(), String::new()))
        }
        ("PROPFIND", "/dav/") => multistatus(&row(
            "/dav/",
            "<d:current-user-principal><d:href>/p/</d:href></d:current-user-principal>",
        )),
        ("PROPFIND", "/p/") => {
            multistatus(&row("/p/", "<c:calendar-home-set><d:href>/home/</d:href></c:calendar-home-set>"))
        }
        ("PROPFIND", "/home/") => {
            let kind = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>";
            multistatus(
                &(row("/home/", "<d:resourcetype><d:collection/></d:resourcetype>")
                    + &row("/home/work/", kind)),
            )
        }
        ("PROPFIND", "/home/work/") => {
            let one = |number| row(&format!("/home/work/e{number}.ics"), "<d:getetag>\"1\"</d:getetag>");
            multistatus(&(0..OBJECTS).map(one).collect::<String>())
        }
        ("REPORT", "/home/work/") => {
            let names = request.body.split("<D:href>/home/work/").skip(1);
            let names = names.filter_map(|rest| rest.split(".ics</D:href>").next());
            let one = |name: &str| {
                let data =
                    format!("<d:getetag>\"1\"</d:getetag><c:calendar-data>{}</c:calendar-data>", event(name));
                row(&format!("/home/work/{name}.ics"), &data)
            };
            multistatus(&names.map(one).collect::<String>())
        }
        _ => Some(("404 Not Found".to_owned(), String::new())),
    }
}

#[tokio::test]
async fn what_was_cut_off_goes_on() {
    let world = World::new().await;
    let reports = Arc::new(Mutex::new(0));
    let count = Arc::clone(&reports);
    let broken = world
        .import(move |request| {
            let is_report = request.line.starts_with("REPORT");
            let mut reports = count.lock().expect("not poisoned");
            *reports += usize::from(is_report);
            if is_report && *reports > 1 { None } else { good(request) }
        })
        .await;
    assert!(matches!(broken, Err(Error::Broken(_))), "{broken:?}");
    assert_eq!(*reports.lock().expect("not poisoned"), 7, "one that was answered, and six attempts");
    assert_eq!(world.names("work").await.len(), 50);

    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let kept = world
        .import(move |request| {
            if request.line.starts_with("REPORT") {
                *count.lock().expect("not poisoned") += request.body.matches("<D:href>").count();
            }
            good(request)
        })
        .await
        .expect("whole");
    assert_eq!((kept.stored, kept.unchanged), (20, 50));
    assert_eq!(*asked.lock().expect("not poisoned"), 20, "only what is missing is fetched");
    assert_eq!(world.names("work").await.len(), OBJECTS);
    let again = world.import(good).await.expect("whole");
    assert_eq!((again.stored, again.unchanged), (0, OBJECTS as u64));
}

#[tokio::test]
async fn one_broken_object_does_not_hold_up_the_others() {
    let world = World::new().await;
    let kept = world
        .import(|request| {
            let (head, body) = good(request)?;
            Some((head, body.replace("UID:e7\n", "").replace("UID:e8\n", "UID:e9\n")))
        })
        .await
        .expect("whole");
    // Two of one UID are one object: the later one.
    assert_eq!(kept.refused.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["e7.ics"]);
    let names = world.names("work").await;
    assert_eq!(names.len(), OBJECTS - 2);
    assert!(names.contains(&"e8.ics".to_owned()) && !names.contains(&"e9.ics".to_owned()), "{names:?}");
}

#[tokio::test]
async fn servers_that_misbehave() {
    let world = World::new().await;
    let moved = |place: &str| Some((format!("302 Found\r\nLocation: {place}"), String::new()));
    let cases: [(&str, Box<Answers>); 6] = [
        ("leads elsewhere", Box::new(move |_| moved("https://elsewhere.test/dav/"))),
        ("leads in circles", Box::new(move |_| moved("/.well-known/caldav"))),
        ("log-in is refused", Box::new(|_| Some(("401 Unauthorized".to_owned(), String::new())))),
        (
            "document type",
            Box::new(|_| Some(("207 x".to_owned(), "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned()))),
        ),
        ("ends too early", Box::new(|_| Some(("207 x".to_owned(), "<a>".to_owned())))),
        ("no such collections", Box::new(|_| multistatus(&row("/", "<d:resourcetype/>")))),
    ];
    for (said, answers) in cases {
        match world.import(answers).await {
            Err(Error::Refused(why)) => assert!(why.contains(said), "{said}: {why}"),
            other => panic!("{said}: {other:?}"),
        }
    }
    // Every request says who asks, and nothing else than this host is asked.
    let kept = world
        .import(|request| {
            assert!(request.head.to_ascii_lowercase().contains("authorization: basic b2xkonnly3jlda=="));
            good(request)
        })
        .await;
    assert_eq!(kept.expect("whole").stored, OBJECTS as u64);
}
