//! Objects of another server's collections, as they come: the keeper's side.

use bytes::BytesMut;
use hub::Error;
use hub::collections::{
    Collection as Here, CollectionPatch, Collections, Incoming, ItemKind, MOST_BYTES, is_enough,
};
use hub::{Account, IdSet};

use crate::frames::{Collection, Told};
use crate::objects::{Objects, ObjectsKept};

/// Names that are tried for a collection whose own is another one's.
const NAMES: usize = 20;

/// Where objects go, and those that wait for a commit.
pub(crate) struct Collecting {
    collections: Collections,
    name: String,
    source: String,
    batch: Vec<Incoming>,
    kept: ObjectsKept,
}

impl Collecting {
    /// Begins with a collection, which is made if it is not there; tells what of the source is here.
    pub(crate) async fn begin(
        account: &Account,
        kind: Objects,
        source: String,
        wanted: Collection,
    ) -> hub::Result<(Self, IdSet)> {
        let collections = kind.of(account);
        let name = place(&collections, kind, wanted).await?;
        let known = collections.imported(&source).await?;
        let kept = ObjectsKept { stored: 0, unchanged: 0, refused: Vec::new() };
        Ok((Self { collections, name, source, batch: Vec::new(), kept }, known))
    }

    /// The bytes that came are an object.
    pub(crate) async fn add(&mut self, name: String, number: u64, data: &mut BytesMut) -> hub::Result<()> {
        let data = std::mem::take(data).freeze();
        self.batch.push(Incoming { uid: name.clone(), name, data, number: Some(number) });
        if is_enough(&self.batch) {
            self.commit().await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> hub::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let done = self.collections.keep_all(&self.name, Some(&self.source), batch).await?;
        self.kept.stored += done.stored;
        self.kept.unchanged += done.unchanged;
        self.kept.refused.extend(done.refused.into_iter().map(|(name, why)| (name, why.to_string())));
        Ok(())
    }

    /// All that came is kept; tells what became of it since the last time.
    pub(crate) async fn end(&mut self) -> hub::Result<Told> {
        self.commit().await?;
        let none = ObjectsKept { stored: 0, unchanged: 0, refused: Vec::new() };
        Ok(Told::Objects(std::mem::replace(&mut self.kept, none)))
    }
}

/// Adds to the object that is coming; more than any object may have is cut off, and refused as a whole.
pub(crate) fn piece(object: &mut BytesMut, piece: &[u8]) {
    let room = (MOST_BYTES + 1).saturating_sub(object.len());
    object.extend_from_slice(&piece[..piece.len().min(room)]);
}

/// The collection of the same name, if it takes what the source's does; else one beside it.
async fn place(collections: &Collections, kind: Objects, wanted: Collection) -> hub::Result<String> {
    let components = components(kind, &wanted);
    let own = match wanted.name.as_str() {
        "" => kind.usual_collection(),
        name => name,
    };
    for number in 1..=NAMES {
        let name = if number == 1 { own.to_owned() } else { format!("{own}-{number}") };
        match collections.find(&name).await {
            Ok(there) if takes(&there, components) => return Ok(name),
            Ok(_) => {}
            Err(Error::NotFound(_)) => match make(collections, &name, &wanted, components).await {
                Ok(()) => return Ok(name),
                // A name that cannot be one here.
                Err(Error::Invalid(_)) => {}
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Err(Error::Exists("collection"))
}

fn takes(there: &Here, components: Option<i64>) -> bool {
    components.is_none_or(|components| there.facts.components & components == components)
}

/// Bits of what a calendar takes; `None` if the source does not say.
fn components(kind: Objects, wanted: &Collection) -> Option<i64> {
    const NAMES: [(&str, ItemKind); 4] = [
        ("VAVAILABILITY", ItemKind::Availability),
        ("VEVENT", ItemKind::Event),
        ("VJOURNAL", ItemKind::Journal),
        ("VTODO", ItemKind::Todo),
    ];
    let bits = wanted.components.iter().filter_map(|component| {
        NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(component)).map(|(_, kind)| *kind as i64)
    });
    let bits = bits.fold(0, |all, bit| all | bit);
    (kind == Objects::Calendars && bits != 0).then_some(bits)
}

async fn make(
    collections: &Collections,
    name: &str,
    wanted: &Collection,
    components: Option<i64>,
) -> hub::Result<()> {
    let whole = CollectionPatch {
        display_name: wanted.display_name.clone(),
        description: wanted.description.clone(),
        color: wanted.color.clone(),
        position: wanted.position,
        time_zone: wanted.time_zone.clone(),
        components,
        ..CollectionPatch::default()
    };
    match collections.create(name, whole.clone()).await {
        // A colour or a zone that is none here is not worth an import.
        Err(Error::Invalid(_) | Error::TooLarge { .. }) => {
            let plain = CollectionPatch { color: None, time_zone: None, description: None, ..whole };
            collections.create(name, plain).await.map(drop)
        }
        made => made.map(drop),
    }
}
