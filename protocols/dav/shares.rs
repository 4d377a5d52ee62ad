//! `Shared with me` in a twin's home: which tree of files a path leads into, and where that begins.

use hub::files::{FilePath, Files, Granted, Reached, Shares};
use hub::{Account, Address};
use hyper::StatusCode;

use crate::path::{Location, Place};
use crate::status::Refusal;

/// A tree of files that somebody works in.
#[derive(Clone)]
pub(crate) struct Tree {
    pub(crate) files: Files,
    /// Where it begins; the path of the place is one from there.
    pub(crate) location: Location,
    /// If it is somebody else's: what was granted, and its path in the twin's home.
    pub(crate) share: Option<(Granted, FilePath)>,
}

/// What a location turns out to be.
pub(crate) enum Spot {
    /// No files.
    Other,
    /// The folder of all that is shared, or with an owner that of its shares.
    Shares(Shares, Option<Address>),
    Tree(Box<Tree>),
}

impl Spot {
    pub(crate) async fn find(account: &Account, location: &Location) -> hub::Result<Self> {
        let location = location.clone();
        let path = match &location.place {
            Place::File { path, .. } => path.clone(),
            Place::Upload { .. } => {
                return Ok(Self::tree(account.uploads(), location, None));
            }
            _ => return Ok(Self::Other),
        };
        Ok(match account.reach(&path).await? {
            Reached::Own(files) => Self::tree(files, location, None),
            Reached::Shares(shares, owner) => Self::Shares(shares, owner),
            Reached::Granted { granted, files, at, rest } => {
                Self::tree(files, location.below(&at, rest), Some((*granted, at)))
            }
        })
    }

    fn tree(files: Files, location: Location, share: Option<(Granted, FilePath)>) -> Self {
        Self::Tree(Box::new(Tree { files, location, share }))
    }

    /// For whoever wants to put something there.
    pub(crate) async fn find_to_write(account: &Account, location: &Location) -> Result<Tree, Refusal> {
        match Self::find(account, location).await {
            Ok(Self::Tree(tree)) => Ok(*tree),
            Ok(Self::Shares(..)) => Err(made_up()),
            Ok(Self::Other) => Err(Refusal::Status(StatusCode::FORBIDDEN, "Files cannot be brought there.")),
            // The only place in which nothing is found without being looked up.
            Err(hub::Error::NotFound(_)) => Err(made_up()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Tree {
    /// What was granted, as the twin whose home this is finds it.
    pub(crate) fn of_granted(
        account: &Account,
        home: &Location,
        shares: &Shares,
        granted: &Granted,
    ) -> hub::Result<Self> {
        let (files, at) = (account.open_granted(granted), granted.path(shares)?);
        let location = home.below(&at, FilePath::root());
        Ok(Self { files, location, share: Some((granted.clone(), at)) })
    }

    /// From the top of the tree.
    pub(crate) fn path(&self) -> FilePath {
        match &self.location.place {
            Place::File { path, .. } | Place::Upload { path, .. } => path.clone(),
            _ => FilePath::root(),
        }
    }

    pub(crate) fn granted(&self) -> Option<&Granted> {
        self.share.as_ref().map(|(granted, _)| granted)
    }
}

pub(crate) fn made_up() -> Refusal {
    Refusal::Status(StatusCode::FORBIDDEN, "This folder only shows what others share with you.")
}
