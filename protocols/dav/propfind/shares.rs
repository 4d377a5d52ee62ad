//! Rows of `Shared with me` and what is in it.

use hub::files::{FilePath, Shares};
use hub::{Account, Address};

use super::{Rows, Stop};
use crate::head::Depth;
use crate::shares::Tree;

impl Rows {
    /// `Shared with me`, in the home that was entered.
    pub(super) async fn of_shares(
        &mut self,
        account: &Account,
        shares: &Shares,
        depth: Depth,
    ) -> Result<(), Stop> {
        if !(self.prefer.without_root && depth != Depth::Zero) {
            self.made_up(&shares.name, &shares.folder(None)).await?;
        }
        let Some(depth) = depth.below() else { return Ok(()) };
        for owner in shares.owners() {
            self.of_owner(account, shares, owner, depth).await?;
        }
        Ok(())
    }

    /// The folder of one owner in it.
    pub(super) async fn of_owner(
        &mut self,
        account: &Account,
        shares: &Shares,
        owner: &Address,
        depth: Depth,
    ) -> Result<(), Stop> {
        self.made_up(&format!("{}/{owner}", shares.name), &shares.folder(Some(owner))).await?;
        let Some(depth) = depth.below() else { return Ok(()) };
        let home = self.tree().clone();
        for granted in shares.granted(Some(owner)) {
            self.enter(Tree::of_granted(account, &home.location, shares, granted)?).await?;
            self.of_tree(&FilePath::root(), granted.node.clone(), depth, true).await?;
        }
        Ok(self.enter(home).await?)
    }
}
