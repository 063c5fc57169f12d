//! Plans for hosts: looking at many, showing what would be done, and doing it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use plugins::setup::{self, Step};
use plugins::{Event, Progress};
use serde_json::{Value, json};
use tables::Node;

use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Ended, Manner};
use crate::outcome::Outcome;
use crate::progress::Bars;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// What a host that is as it should be says of itself.
const UNCHANGED: &str = "unchanged";

/// What is to be done to one host.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) node: Node,
    pub(crate) steps: Vec<Step>,
    /// What else a person should know before it is done, such as whom a restart touches.
    pub(crate) notes: Vec<String>,
    /// How many containers that run would stop.
    pub(crate) stops: usize,
}

/// The plans of those hosts that could be looked at, by name, and how the looking ended for all.
#[derive(Debug)]
pub(crate) struct Plans {
    pub(crate) ready: BTreeMap<String, Plan>,
    pub(crate) looked: Ended,
}

impl Plans {
    /// True when some host would change.
    pub(crate) fn is_pending(&self) -> bool {
        self.ready.values().any(|plan| !plan.steps.is_empty())
    }

    /// How `--plan` ends: 1 when some host could not be looked at, 2 when something would change.
    pub(crate) fn outcome(&self) -> Outcome {
        match (Outcome::from(self.looked), self.is_pending()) {
            (Outcome::Done, true) => Outcome::Code(2),
            (outcome, _) => outcome,
        }
    }
}

impl Context {
    /// Looks at every host; one that fails says so and has no plan.
    pub(crate) async fn plans<F>(&self, nodes: Vec<Node>, manner: Manner, look: impl Fn(Node) -> F) -> Plans
    where
        F: Future<Output = Result<Plan, Failure>>,
    {
        let ready = Mutex::new(BTreeMap::new());
        let ask = |node: Node| {
            let looking = look(node);
            let ready = &ready;
            async move {
                let plan = looking.await?;
                let mut ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
                ready.insert(plan.node.name().to_owned(), plan);
                Ok(Answer::silent())
            }
        };
        let looked = self.each(nodes, manner, ask).await;
        Plans { ready: ready.into_inner().unwrap_or_else(PoisonError::into_inner), looked }
    }

    /// Shows each host's steps, with the lines of files that change; hosts with equal plans fold into one.
    pub(crate) fn show_plans(&self, plans: &Plans, format: Format) {
        for (name, plan) in &plans.ready {
            self.ui.reply(format, Reply { node: Some(name.clone()), body: Body::Answer(shown(plan)) });
        }
        self.ui.finish_folding();
    }

    /// Asks before more than `limit` containers stop. Nobody there to be asked is a no, unless `-y` has answered already.
    pub(crate) async fn agreed(&self, plans: &Plans, limit: usize, yes: bool) -> Result<(), Failure> {
        let touched: Vec<&Plan> = plans.ready.values().filter(|plan| plan.stops > 0).collect();
        let stops: usize = touched.iter().map(|plan| plan.stops).sum();
        if yes || stops <= limit {
            return Ok(());
        }
        for plan in &touched {
            plan.notes.iter().for_each(|note| self.ui.note(&format!("{}: {note}", plan.node.name())));
        }
        let names: Vec<String> = touched.iter().map(|plan| plan.node.name().to_owned()).collect();
        let names = tables::noderange::fold(&names);
        match self.ui.confirm(&format!("Running containers of {names} that will stop: {stops}. Go on?")).await {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::refused("nothing was done: it was not agreed to")),
            None => {
                Err(Failure::refused(format!("nothing was done: running containers of {names} would stop: {stops}"))
                    .hint("-y does it without asking; --plan shows what would be done"))
            }
        }
    }

    /// Carries the plans out, all hosts at once, and says of each what became of it; hosts without a plan have said
    /// already why, and count as failed.
    pub(crate) async fn carry_out(&self, plans: Plans, manner: Manner) -> Result<Outcome, Failure> {
        let backends = self.backends()?;
        let nodes = plans.ready.values().map(|plan| plan.node.clone()).collect();
        let ready = &plans.ready;
        let bars = std::sync::Arc::new(Bars::new(self.ui.clone()));
        let ask = async |node: Node| {
            let steps = ready.get(node.name()).map_or(&[][..], |plan| &plan.steps);
            if steps.is_empty() {
                return Ok(done(steps));
            }
            let (bars, name) = (bars.clone(), node.name().to_owned());
            let progress = Progress::new(move |event: Event| bars.show(event.of(&name)));
            let host = backends.host(&node).await?;
            setup::carry_out(&host, steps, &progress).await?;
            Ok(done(steps))
        };
        let ended = self.each(nodes, manner, ask).await;
        Ok(match (Outcome::from(ended), Outcome::from(plans.looked)) {
            (Outcome::Done, looked) => looked,
            (outcome, _) => outcome,
        })
    }
}

fn shown(plan: &Plan) -> Answer {
    if plan.steps.is_empty() {
        return done(&plan.steps);
    }
    let mut lines = Vec::new();
    for step in &plan.steps {
        lines.push(step.title());
        lines.extend(step.diff().iter().flat_map(|diff| diff.lines()).map(|line| format!("    {line}")));
    }
    lines.extend(plan.notes.iter().map(|note| format!("note: {note}")));
    let steps: Vec<Value> = plan.steps.iter().map(|step| json!({ "do": step.title(), "diff": step.diff() })).collect();
    Answer { lines, data: Some(json!({ "steps": steps, "notes": plan.notes })), ..Answer::default() }
}

fn done(steps: &[Step]) -> Answer {
    let titles: Vec<String> = steps.iter().map(Step::title).collect();
    let lines = if titles.is_empty() { vec![UNCHANGED.to_owned()] } else { titles.clone() };
    Answer { lines, data: Some(json!({ "done": titles })), ..Answer::default() }
}
