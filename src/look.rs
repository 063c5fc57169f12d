//! Looking at hosts before the first of them is changed: what every command that changes hosts begins with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tables::Node;

use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Interrupted, Manner};
use crate::outcome::Outcome;
use crate::reply::Answer;

/// What was found on those hosts that could be reached, by name, and how the looking ended for all.
#[derive(Debug)]
pub(crate) struct Seen<T> {
    pub(crate) ready: BTreeMap<String, T>,
    pub(crate) looked: Outcome,
}

impl<T> Seen<T> {
    /// How `--plan` ends: 1 when some host could not be reached, 2 when something would change.
    pub(crate) fn outcome_if(&self, changes: impl Fn(&T) -> bool) -> Outcome {
        match self.looked {
            Outcome::Done if self.ready.values().any(changes) => Outcome::Code(2),
            looked => looked,
        }
    }
}

impl Context {
    /// Asks hosts before the first of them is changed. One that cannot be reached says so and is left to a later run; one
    /// that refuses for any other reason refuses the whole command, and so does Ctrl-C.
    pub(crate) async fn look_at<T, F>(
        &self,
        nodes: Vec<Node>,
        manner: Manner,
        ask: impl Fn(Node) -> F,
    ) -> Result<Seen<T>, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let ready = Mutex::new(BTreeMap::new());
        let refused = Mutex::new(BTreeSet::new());
        let question = |node: Node| {
            let (name, asked, ready, refused) = (node.name().to_owned(), ask(node), &ready, &refused);
            async move {
                match asked.await {
                    Ok(found) => drop(ready.lock().unwrap_or_else(PoisonError::into_inner).insert(name, found)),
                    Err(failure) => {
                        if !failure.unreachable {
                            refused.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
                        }
                        return Err(failure);
                    }
                }
                Ok(Answer::silent())
            }
        };
        // A look is left in the middle without harm.
        let manner = Manner { interrupted: Interrupted::Leave, ..manner };
        let looked = self.each(nodes, manner, question).await.into();
        if looked == Outcome::Interrupted {
            let why = "nothing was done: it was interrupted while the hosts were looked at";
            return Err(Failure { outcome: looked, ..Failure::refused(why) });
        }
        let refused = refused.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !refused.is_empty() {
            let refused: Vec<String> = refused.into_iter().collect();
            let names = tables::noderange::fold(&refused);
            return Err(Failure::refused(format!("nothing was done: it cannot be done on {names}")));
        }
        Ok(Seen { ready: ready.into_inner().unwrap_or_else(PoisonError::into_inner), looked })
    }
}
