//! The types of RFC 9610: address books, and the cards in them. What is kept is vCard; it is read and written by
//! [`hub_jsobjects::card`].

pub(crate) mod book;
pub(crate) mod card;
mod card_query;
mod card_set;
pub(crate) mod photo;
