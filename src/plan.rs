//! Plans for hosts: looking at many, showing what would be done, and doing it.

use plugins::setup::{self, Step};
use plugins::{Event, Progress};
use serde_json::{Value, json};
use tables::Node;

use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::look::Seen;
use crate::outcome::Outcome;
use crate::progress::Bars;
use crate::reply::{Answer, Body, Reply};
use crate::ui::{Agreement, Format};

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

/// The plans of those hosts that could be looked at.
pub(crate) type Plans = Seen<Plan>;

impl Plans {
    /// How `--plan` ends.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome_if(|plan| !plan.steps.is_empty())
    }
}

impl Context {
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
            Agreement::Yes => Ok(()),
            Agreement::No => Err(Failure::refused("nothing was done: it was not agreed to")),
            Agreement::Interrupted => {
                let failure = Failure::refused("nothing was done: it was interrupted before");
                Err(Failure { outcome: Outcome::Interrupted, ..failure })
            }
            Agreement::Nobody => {
                Err(Failure::refused(format!("nothing was done: running containers of {names} would stop: {stops}"))
                    .hint("-y does it without asking; --plan shows what would be done"))
            }
        }
    }

    /// Carries the plans out, all hosts at once, and says of each what became of it; `after` is done for each that is as
    /// it should be then. Hosts without a plan have said already why, and count as failed.
    pub(crate) async fn carry_out(
        &self,
        plans: Plans,
        manner: Manner,
        after: impl Fn(&Node) -> Result<(), Failure>,
    ) -> Result<Outcome, Failure> {
        let backends = self.backends()?;
        let nodes = plans.ready.values().map(|plan| plan.node.clone()).collect();
        let ready = &plans.ready;
        let bars = std::sync::Arc::new(Bars::new(self.ui.clone()));
        let ask = async |node: Node| {
            let steps = ready.get(node.name()).map_or(&[][..], |plan| &plan.steps);
            if !steps.is_empty() {
                let (bars, name) = (bars.clone(), node.name().to_owned());
                let progress = Progress::new(move |event: Event| bars.show(event.of(&name)));
                let host = backends.host(&node).await?;
                setup::carry_out(&host, steps, &progress).await?;
            }
            after(&node)?;
            Ok(done(steps))
        };
        let ended = self.each(nodes, manner, ask).await;
        Ok(Outcome::from(ended).and(plans.looked))
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
