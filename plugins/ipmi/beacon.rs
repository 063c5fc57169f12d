//! The identify light.

use async_trait::async_trait;
use tables::Node;

use super::{Ipmi, chassis, check};
use crate::{Beacon, BeaconState, Result};

#[async_trait]
impl Beacon for Ipmi {
    fn check(&self, node: &Node) -> Result<()> {
        check(self, node)
    }

    async fn state(&self, node: &Node) -> Result<Option<BeaconState>> {
        const DOING: &str = "tell the beacon";
        let mut session = self.session(node).await?;
        let status = session.ask(DOING, &chassis::status()).await?;
        chassis::beacon(&status).ok_or_else(|| session.garbled(DOING))
    }

    async fn switch(&self, node: &Node, on: bool) -> Result<()> {
        let mut session = self.session(node).await?;
        session.ask("switch the beacon", &chassis::identify(on)).await.map(drop)
    }
}
