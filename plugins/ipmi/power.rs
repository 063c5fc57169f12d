//! Switching machines on and off through their BMCs.

use async_trait::async_trait;
use tables::Node;

use super::chassis::{self, Control};
use super::session::Session;
use super::{Ipmi, check, completion};
use crate::bmc::power::{self, Lever, Push};
use crate::{Power, PowerAction, PowerReading, Powered, Result};

#[async_trait]
impl Power for Ipmi {
    fn check(&self, node: &Node, action: PowerAction) -> Result<()> {
        check(self, node)?;
        power::check(action, super::NAME)
    }

    async fn state(&self, node: &Node) -> Result<PowerReading> {
        Ok(power::reading(self.session(node).await?.is_on().await?))
    }

    async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered> {
        Power::check(self, node, action)?;
        power::apply(&mut self.session(node).await?, action).await
    }
}

impl Lever for Session {
    fn name(&self) -> &str {
        Self::name(self)
    }

    async fn is_on(&mut self) -> Result<bool> {
        const DOING: &str = "tell the power state";
        let status = self.ask(DOING, &chassis::status()).await?;
        chassis::is_on(&status).ok_or_else(|| self.garbled(DOING))
    }

    async fn push(&mut self, push: Push) -> Result<()> {
        let control = match push {
            Push::On => Control::Up,
            Push::Off => Control::Down,
            Push::Reset => Control::Reset,
            Push::Cycle => Control::Cycle,
            Push::Soft => Control::Soft,
        };
        let answer = self.try_ask(push.doing(), &chassis::control(control)).await?;
        if answer.code == completion::DUPLICATE && matches!(push, Push::On | Push::Off) {
            return Ok(());
        }
        self.succeeded(push.doing(), answer).map(drop)
    }
}
