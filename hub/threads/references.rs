//! THREAD=REFERENCES (RFC 5256 §3), step by step.

use std::collections::HashMap;

use super::{Letter, Threads};

const NONE: u32 = u32::MAX;
/// Steps up the tree to see whether a link would close a loop, for each message and reference. Honest
/// mail needs fewer than one; beyond it a link is not made, so that a mailbox full of invented
/// References takes linear time all the same.
const STEPS: usize = 64;

pub(super) fn threads(letters: &[Letter], ids: &[u64]) -> Threads {
    let mut tree = Links::new(letters, ids).into_tree(letters);
    tree.sort_top();
    tree.gather_subjects();
    tree.sort_all();
    tree.into_threads()
}

/// Step 1: nodes are the letters, then a dummy for each id that no letter has.
struct Links {
    parents: Vec<u32>,
    child_counts: Vec<u32>,
    nodes: HashMap<u64, u32>,
    steps_left: usize,
}

impl Links {
    fn new(letters: &[Letter], ids: &[u64]) -> Self {
        let count = letters.len();
        let mut links = Self {
            parents: vec![NONE; count],
            child_counts: vec![0; count],
            nodes: HashMap::with_capacity(count),
            steps_left: STEPS * (count + ids.len()),
        };
        // Of several messages with one id the first has it.
        for (node, letter) in letters.iter().enumerate() {
            if let Some(id) = letter.message_id {
                links.nodes.entry(id).or_insert(node as u32);
            }
        }
        for (node, letter) in letters.iter().enumerate() {
            links.add(node as u32, &ids[letter.references.clone()]);
        }
        links
    }

    /// Steps 1.A and 1.B for one message.
    fn add(&mut self, node: u32, references: &[u64]) {
        let mut last = NONE;
        for id in references {
            let next = self.node_of(*id);
            if last != NONE && self.parents[next as usize] == NONE {
                self.link(last, next);
            }
            last = next;
        }
        if self.parents[node as usize] == last {
            return;
        }
        self.unlink(node);
        if last != NONE {
            self.link(last, node);
        }
    }

    fn node_of(&mut self, id: u64) -> u32 {
        let next = self.parents.len() as u32;
        let node = *self.nodes.entry(id).or_insert(next);
        if node == next {
            self.parents.push(NONE);
            self.child_counts.push(0);
        }
        node
    }

    fn link(&mut self, parent: u32, child: u32) {
        if !self.would_loop(parent, child) {
            self.parents[child as usize] = parent;
            self.child_counts[parent as usize] += 1;
        }
    }

    fn unlink(&mut self, child: u32) {
        let parent = std::mem::replace(&mut self.parents[child as usize], NONE);
        if parent != NONE {
            self.child_counts[parent as usize] -= 1;
        }
    }

    /// True if `child` is above `parent`, or if that would take too long to find out.
    fn would_loop(&mut self, parent: u32, child: u32) -> bool {
        if parent == child {
            return true;
        }
        if self.child_counts[child as usize] == 0 {
            return false;
        }
        let mut above = self.parents[parent as usize];
        while above != NONE {
            if above == child || self.steps_left == 0 {
                return true;
            }
            self.steps_left -= 1;
            above = self.parents[above as usize];
        }
        false
    }

    /// Steps 2 and 3: dummies go, and their children move up to the next message above, or to a
    /// dummy at the top, which stays if it has several.
    fn into_tree(self, letters: &[Letter]) -> Tree<'_> {
        let count = letters.len();
        let above = self.survivors(count);
        let mut tree = Tree { letters, kids: vec![Vec::new(); count], top: Vec::new() };
        let mut dummies: HashMap<u32, Vec<u32>> = HashMap::new();
        for (node, &above) in above[..count].iter().enumerate() {
            let node = node as u32;
            if above == NONE {
                tree.top.push(node);
            } else if (above as usize) < count {
                tree.kids[above as usize].push(node);
            } else {
                dummies.entry(above).or_default().push(node);
            }
        }
        // In the order of their first messages, whatever the hashes are.
        let mut dummies: Vec<Vec<u32>> = dummies.into_values().collect();
        dummies.sort_unstable();
        for kids in dummies {
            match kids.as_slice() {
                [only] => tree.top.push(*only),
                _ => {
                    let dummy = tree.dummy(kids);
                    tree.top.push(dummy);
                }
            }
        }
        tree
    }

    /// For each node the one that it will hang below: a message, a dummy at the top, or nothing.
    fn survivors(&self, count: usize) -> Vec<u32> {
        let mut above = vec![NONE; self.parents.len()];
        let mut known = vec![false; self.parents.len()];
        let mut path = Vec::new();
        for start in 0..self.parents.len() as u32 {
            // Up to what is known, then down again.
            let mut node = start;
            while !known[node as usize] {
                known[node as usize] = true;
                path.push(node);
                match self.parents[node as usize] {
                    NONE => break,
                    parent => node = parent,
                }
            }
            while let Some(node) = path.pop() {
                above[node as usize] = match self.parents[node as usize] {
                    NONE => NONE,
                    parent if (parent as usize) < count || above[parent as usize] == NONE => parent,
                    parent => above[parent as usize],
                };
            }
        }
        above
    }
}

/// Steps 4 to 6: nodes are the letters, then dummies, which stand at the top only.
struct Tree<'a> {
    letters: &'a [Letter],
    kids: Vec<Vec<u32>>,
    top: Vec<u32>,
}

impl Tree<'_> {
    fn dummy(&mut self, kids: Vec<u32>) -> u32 {
        self.kids.push(kids);
        self.kids.len() as u32 - 1
    }

    fn is_dummy(&self, node: u32) -> bool {
        node as usize >= self.letters.len()
    }

    /// The message, or the first child of a dummy.
    fn first(&self, node: u32) -> u32 {
        match self.is_dummy(node) {
            true => self.kids[node as usize].first().copied().unwrap_or(0),
            false => node,
        }
    }

    /// By sent date, then in the order of the mailbox (RFC 5256 §2.2).
    fn sort(&self, nodes: &mut [u32]) {
        nodes.sort_by_cached_key(|&node| {
            let first = self.first(node);
            (self.letters[first as usize].sent_at, first)
        });
    }

    fn sort_kids(&mut self, node: usize) {
        if self.kids[node].len() > 1 {
            let mut kids = std::mem::take(&mut self.kids[node]);
            self.sort(&mut kids);
            self.kids[node] = kids;
        }
    }

    /// Step 4.
    fn sort_top(&mut self) {
        for dummy in self.letters.len()..self.kids.len() {
            self.sort_kids(dummy);
        }
        let mut top = std::mem::take(&mut self.top);
        self.sort(&mut top);
        self.top = top;
    }

    /// Step 6.
    fn sort_all(&mut self) {
        for node in 0..self.letters.len() {
            self.sort_kids(node);
        }
        self.sort_top();
    }

    fn subject(&self, node: u32) -> Option<u32> {
        self.letters[self.first(node) as usize].subject
    }

    fn is_reply(&self, node: u32) -> bool {
        !self.is_dummy(node) && self.letters[node as usize].is_reply
    }

    /// Step 5: threads with one base subject become one.
    fn gather_subjects(&mut self) {
        let mut table = self.subject_table();
        let old_top = std::mem::take(&mut self.top);
        let mut moved = vec![false; self.kids.len()];
        let mut new_dummies = Vec::new();
        for &current in &old_top {
            let Some(subject) = self.subject(current).filter(|_| !moved[current as usize]) else { continue };
            let Some(&holder) = table.get(&subject).filter(|&&holder| holder != current) else { continue };
            moved[current as usize] = true;
            if self.is_dummy(holder) && self.is_dummy(current) {
                let mut kids = std::mem::take(&mut self.kids[current as usize]);
                self.kids[holder as usize].append(&mut kids);
            } else if self.is_dummy(holder) || (self.is_reply(current) && !self.is_reply(holder)) {
                self.kids[holder as usize].push(current);
            } else {
                moved[holder as usize] = true;
                let dummy = self.dummy(vec![holder, current]);
                new_dummies.push(dummy);
                table.insert(subject, dummy);
            }
        }
        self.top = old_top.into_iter().filter(|&node| !moved[node as usize]).chain(new_dummies).collect();
    }

    /// Step 5.B.
    fn subject_table(&self) -> HashMap<u32, u32> {
        let mut table = HashMap::new();
        for &current in &self.top {
            let Some(subject) = self.subject(current) else { continue };
            let holder = table.entry(subject).or_insert(current);
            let replaces = self.is_dummy(current) || (self.is_reply(*holder) && !self.is_reply(current));
            if !self.is_dummy(*holder) && replaces {
                *holder = current;
            }
        }
        table
    }

    fn into_threads(self) -> Threads {
        // Behind the root.
        let nodes = |kids: &[u32]| kids.iter().map(|kid| kid + 1).collect::<Vec<_>>();
        let mut forest = Threads::new();
        forest.push(None, nodes(&self.top));
        for (node, kids) in self.kids.iter().enumerate() {
            forest.push(self.letters.get(node).map(|letter| letter.index), nodes(kids));
        }
        forest
    }
}
