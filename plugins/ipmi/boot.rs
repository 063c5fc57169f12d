//! What a machine boots from next.

use async_trait::async_trait;
use tables::Node;

use super::session::Session;
use super::{Ipmi, chassis, check};
use crate::{Boot, BootDevice, BootOverride, Error, Result};

#[async_trait]
impl Boot for Ipmi {
    fn check(&self, node: &Node, device: Option<BootDevice>) -> Result<()> {
        if device == Some(BootDevice::Http) {
            let what = "booting by HTTP".into();
            return Err(Error::Unsupported { what, column: "mgt", driver: super::NAME.into() });
        }
        check(self, node)
    }

    async fn get(&self, node: &Node) -> Result<Option<BootOverride>> {
        read(&mut self.session(node).await?).await
    }

    async fn set(&self, node: &Node, wanted: Option<BootOverride>) -> Result<Option<BootOverride>> {
        let mut session = self.session(node).await?;
        // Not every BMC has this; one without it forgets the override by itself after a minute, as it always did.
        session.try_ask("set the boot device", &chassis::keep_boot_flags()).await?;
        session.ask("set the boot device", &chassis::set_boot(wanted)).await?;
        read(&mut session).await
    }
}

async fn read(session: &mut Session) -> Result<Option<BootOverride>> {
    const DOING: &str = "tell the boot device";
    let answer = session.ask(DOING, &chassis::get_boot()).await?;
    chassis::boot(&answer).ok_or_else(|| session.garbled(DOING))?.map_err(|number| Error::Garbled {
        what: format!("{}: cannot {DOING}", session.name()),
        why: format!("it says {number}, which has no name"),
    })
}
