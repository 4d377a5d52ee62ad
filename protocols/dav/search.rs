//! SEARCH with `basicsearch` (RFC 5323): files below a folder by name, type, size, times and text.

mod condition;

use std::cmp::Ordering;

use hub::files::{FilePath, Files, Node, TextFinder};
use hyper::StatusCode;

use crate::head::Depth;
use crate::path::{Location, Place};
use crate::propfind::{Rows, Stop, below, multistatus};
use crate::props::Ask;
use crate::reply::Reply;
use crate::shares::{Spot, Tree};
use crate::status::Refusal;
use crate::xml::Element;
use crate::{Call, body, head, precondition};
use condition::{Condition, Property, Value};

/// Results that are sorted are held in memory.
const MOST_SORTED: usize = 10_000;

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let none = Refusal::Status(StatusCode::BAD_REQUEST, "A SEARCH has a body that says what for.");
    let document = body::xml(&mut call.body).await?.ok_or(none)?;
    let grammar = Refusal::Condition(StatusCode::UNPROCESSABLE_ENTITY, "search-grammar-supported");
    let mut search = match document.root.dav_child("basicsearch") {
        Some(search) if document.root.name.is_dav("searchrequest") => Search::read(call, search)?,
        _ => return Err(grammar),
    };
    let Spot::Tree(tree) = Spot::find(&call.account, &search.scope).await? else {
        return Err(bad_scope());
    };
    search.enter(&tree);
    let files = tree.files.clone();
    let node = files.lookup(&search.folder).await?;
    let prefer = head::prefer(&call.head.headers);
    let (mut rows, body) = Rows::new(call, *tree, search.ask.clone(), prefer).await?;
    tokio::spawn(async move {
        let done = search.run(&files, node, &mut rows).await;
        rows.end(done).await;
    });
    Ok(multistatus(prefer, body))
}

/// RFC 5323 §2.3.3
fn bad_scope() -> Refusal {
    Refusal::Condition(StatusCode::CONFLICT, "search-scope-valid")
}

/// `<!ELEMENT basicsearch (select, from, where?, orderby?, limit?) >` (RFC 5323 §5.3)
struct Search {
    ask: Ask,
    scope: Location,
    folder: FilePath,
    depth: Depth,
    condition: Option<Condition>,
    order: Vec<(Property, Order)>,
    limit: usize,
}

#[derive(Clone, Copy)]
enum Order {
    Ascending,
    Descending,
}

impl Search {
    fn read(call: &Call, search: &Element) -> Result<Self, Refusal> {
        let bad = |why| Refusal::Status(StatusCode::BAD_REQUEST, why);
        let select = search.dav_child("select").ok_or(bad("There is no select."))?;
        let scope = search.dav_child("from").and_then(|from| from.dav_child("scope"));
        let scope = scope.ok_or(bad("There is no scope."))?;
        let href = scope.dav_child("href").map(|href| href.text.trim()).unwrap_or_default();
        let location = head::reference(&call.head.uri, &call.head.headers, href)?;
        let own = call.account.handle().to_string();
        let folder = match &location.place {
            Place::File { handle, path } if precondition::same_home(handle.as_deref(), Some(&own)) => {
                path.clone()
            }
            _ => return Err(bad_scope()),
        };
        let depth = match scope.dav_child("depth").map(|depth| depth.text.trim()) {
            Some("0") => Depth::Zero,
            Some("1") => Depth::One,
            None | Some("infinity") => Depth::Infinity,
            Some(_) => return Err(bad("The depth is neither 0, 1 nor infinity.")),
        };
        let condition = match search.dav_child("where").map(|condition| condition.children.as_slice()) {
            None | Some([]) => None,
            Some([condition]) => Some(Condition::read(condition)?),
            Some(_) => return Err(bad("There is more than one condition.")),
        };
        let limit = search.dav_child("limit").and_then(|limit| limit.dav_child("nresults"));
        let limit = match limit.map(|number| number.text.trim().parse()) {
            None => usize::MAX,
            Some(Ok(number)) => number,
            Some(Err(_)) => return Err(bad("The limit is not a number.")),
        };
        let ask = Ask::of(select)?.ok_or(bad("Nothing is selected."))?;
        let order = order(search)?;
        Ok(Self { ask, scope: location, folder, depth, condition, order, limit })
    }

    /// What is searched may be somebody else's.
    fn enter(&mut self, tree: &Tree) {
        (self.scope, self.folder) = (tree.location.clone(), tree.path());
    }

    async fn run(&self, files: &Files, node: Node, rows: &mut Rows) -> Result<(), Stop> {
        let texts = self.condition.as_ref().map_or_else(Vec::new, Condition::texts);
        let finder = match texts.is_empty() {
            true => None,
            false => Some(files.find_texts(&texts).await?),
        };
        let mut found = Found { search: self, rows, finder, texts, kept: Vec::new(), left: self.limit };
        let is_folder = node.is_folder();
        found.add(vec![(self.folder.to_string(), node.clone())]).await?;
        if is_folder && self.depth == Depth::One {
            let mut listing = files.list(&node);
            while let Some(nodes) = listing.next().await? {
                let page = nodes.into_iter().map(|node| (below(&self.folder, &node.name), node));
                if !found.add(page.collect()).await? {
                    break;
                }
            }
        } else if is_folder && self.depth == Depth::Infinity {
            let mut walk = files.walk(&node);
            while let Some(nodes) = walk.next().await? {
                let page = nodes.into_iter().map(|row| (below(&self.folder, &row.path), row.node));
                if !found.add(page.collect()).await? {
                    break;
                }
            }
        }
        found.end().await
    }

    fn compare(&self, a: &Node, b: &Node) -> Ordering {
        let one = |(property, order): &(Property, Order)| {
            let ordering = Value::of(*property, a).cmp(&Value::of(*property, b));
            match order {
                Order::Ascending => ordering,
                Order::Descending => ordering.reverse(),
            }
        };
        self.order.iter().map(one).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// `<!ELEMENT orderby (order+) >`, `<!ELEMENT order ((prop | score), (ascending | descending)?)>`
fn order(search: &Element) -> Result<Vec<(Property, Order)>, Refusal> {
    let Some(orderby) = search.dav_child("orderby") else { return Ok(Vec::new()) };
    orderby
        .children
        .iter()
        .map(|order| {
            let is_down = order.dav_child("descending").is_some();
            let by = Property::read(order)?;
            Ok((by, if is_down { Order::Descending } else { Order::Ascending }))
        })
        .collect()
}

/// What fits, on its way to the client.
struct Found<'a> {
    search: &'a Search,
    rows: &'a mut Rows,
    /// Of a search that asks for texts: these.
    finder: Option<TextFinder>,
    texts: Vec<&'a str>,
    /// Of a search whose results are sorted.
    kept: Vec<(String, Node)>,
    left: usize,
}

impl Found<'_> {
    /// False when there are enough.
    async fn add(&mut self, page: Vec<(String, Node)>) -> Result<bool, Stop> {
        let mut page = self.fitting(page).await?;
        if self.search.order.is_empty() {
            page.truncate(self.left);
            self.left -= page.len();
            self.rows.page(page).await?;
            return Ok(self.left > 0);
        }
        self.kept.append(&mut page);
        Ok(self.kept.len() <= MOST_SORTED)
    }

    /// Those that fit. Only where the rest of the condition leaves it open, texts are looked into.
    async fn fitting(&mut self, page: Vec<(String, Node)>) -> Result<Vec<(String, Node)>, Stop> {
        let Some(condition) = &self.search.condition else { return Ok(page) };
        let states: Vec<Option<bool>> =
            page.iter().map(|(_, node)| condition.holds(node, &|_| None)).collect();
        let open = page.iter().zip(&states).filter(|(_, state)| state.is_none());
        let open: Vec<&Node> = open.map(|((_, node), _)| node).collect();
        let mut answers = match &mut self.finder {
            Some(finder) if !open.is_empty() => finder.look(&open).await?,
            _ => Vec::new(),
        }
        .into_iter();
        let mut fitting = Vec::new();
        for ((path, node), state) in page.into_iter().zip(states) {
            let answer = if state.is_none() { answers.next().unwrap_or_default() } else { Vec::new() };
            let contains = |text: &str| {
                let at = self.texts.iter().position(|known| *known == text)?;
                answer.get(at).copied()
            };
            if state.or_else(|| condition.holds(&node, &contains)) == Some(true) {
                fitting.push((path, node));
            }
        }
        Ok(fitting)
    }

    async fn end(mut self) -> Result<(), Stop> {
        let is_incomplete = self.finder.as_ref().is_some_and(|finder| !finder.is_complete());
        let is_cut = is_incomplete || self.kept.len() > MOST_SORTED;
        let search = self.search;
        self.kept.sort_by(|(_, a), (_, b)| search.compare(a, b));
        self.kept.truncate(self.left.min(MOST_SORTED));
        let kept = std::mem::take(&mut self.kept);
        self.rows.page(kept).await?;
        if is_cut {
            // RFC 5323 §2.3.4: more than can be sorted, or looked into now.
            let href = self.search.scope.href(&self.search.folder.to_string(), true);
            self.rows.out().status(&href, StatusCode::INSUFFICIENT_STORAGE, None).await?;
        }
        Ok(())
    }
}
